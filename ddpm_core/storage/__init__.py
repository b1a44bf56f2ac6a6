"""Files that are whole or not there: checkpoints, the Hub, published weights, where figures come from."""

// Says the reason of a chosen answer to a screen reader; eyes see it by quiz.css alone. No module, so that it runs from a file.
document.querySelectorAll('.quiz').forEach(quiz =>
    quiz.addEventListener('change', event => {
        const why = event.target.parentElement.querySelector('.why');
        quiz.querySelector('.said').textContent = why.firstElementChild.textContent + ' ' + why.childNodes[1].textContent.trim();
    }));

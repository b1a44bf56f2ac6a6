// Says the reason of a chosen answer to a screen reader; eyes see it by quiz.css alone.
for (const quiz of document.querySelectorAll('.quiz'))
    quiz.addEventListener('change', event => {
        const why = event.target.parentElement.querySelector('.why');
        quiz.querySelector('.said').textContent = why.firstElementChild.textContent + ' ' + why.childNodes[1].textContent.trim();
    });

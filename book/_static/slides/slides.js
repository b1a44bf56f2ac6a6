// Slides by the keyboard and by two buttons; without this script they stand one below the other (tools/slides.py).
(() => {
  const root = document.documentElement;
  const dark = window.matchMedia('(prefers-color-scheme: dark)');
  const light = () => { root.dataset.theme = dark.matches ? 'dark' : 'light'; };
  light();
  dark.addEventListener('change', light);

  document.addEventListener('DOMContentLoaded', () => {
    const slides = [...document.querySelectorAll('.slide')];
    let now = 0;

    const nav = document.createElement('nav');
    nav.setAttribute('aria-label', 'Slides');
    const count = document.createElement('span');
    count.setAttribute('aria-live', 'polite');
    const button = (sign, says, by) => {
      const made = document.createElement('button');
      made.type = 'button';
      made.textContent = sign;
      made.setAttribute('aria-label', says);
      made.addEventListener('click', () => show(now + by));
      return made;
    };
    nav.append(button('←', 'Back', -1), count, button('→', 'On', 1));
    document.body.append(nav);

    // One that is higher than the window can be reached, and read to its end.
    function reach() {
      if (slides[now].scrollHeight > slides[now].clientHeight) slides[now].tabIndex = 0;
      else slides[now].removeAttribute('tabindex');
    }

    function show(number, remember = true) {
      now = Math.min(Math.max(number, 0), slides.length - 1);
      slides.forEach((slide, k) => slide.classList.toggle('shown', k === now));
      slides[now].scrollTop = 0;
      reach();
      count.textContent = `${now + 1} of ${slides.length}`;
      if (remember) history.replaceState(null, '', `#${now + 1}`);
    }
    const asked = () => (parseInt(location.hash.slice(1), 10) || 1) - 1;

    // Up and down first read to the end of a slide that is higher than the window.
    function read(by) {
      const {scrollTop, clientHeight, scrollHeight} = slides[now];
      const more = by > 0 ? scrollTop + clientHeight < scrollHeight - 2 : scrollTop > 0;
      if (more) slides[now].scrollBy(0, by * clientHeight / 2);
      else show(now + by);
    }

    const keys = {
      ArrowRight: () => show(now + 1), ArrowDown: () => read(1), PageDown: () => read(1),
      ArrowLeft: () => show(now - 1), ArrowUp: () => read(-1), PageUp: () => read(-1),
      Home: () => show(0), End: () => show(slides.length - 1),
      n: () => { root.classList.toggle('notes'); reach(); },
      d: () => { root.dataset.theme = root.dataset.theme === 'dark' ? 'light' : 'dark'; },
    };
    document.addEventListener('keydown', event => {
      const act = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
      if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      act();
    });
    window.addEventListener('resize', reach);
    window.addEventListener('hashchange', () => show(asked(), false));
    root.classList.add('one');
    show(asked(), false);
  });
})();

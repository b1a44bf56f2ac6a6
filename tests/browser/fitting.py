"""What does not fit on a page: scripts that measure it, all of a kind at once."""

# Code, outputs, tables, equations and figures that a reader must scroll sideways to see whole, or cannot; folded ones,
# too. Each is named once, however much of it is inside the same box.
CUT = """() => {
    document.querySelectorAll('.bd-article details').forEach(fold => fold.open = true);
    const article = document.querySelector('.bd-article'), edge = article.getBoundingClientRect().right + 1;
    const kinds = 'pre, table, math, .cell_output img, .ddpm-drawing > svg, .ddpm-figure';
    const scrolls = e => getComputedStyle(e).overflowX !== 'visible' && e.scrollWidth > e.clientWidth + 1
        && e.clientWidth > 1;
    const found = new Map();
    for (const e of article.querySelectorAll(kinds)) {
        const {right, width} = e.getBoundingClientRect();
        if (width < 2 || e.closest('blockquote.margin')) continue;
        let box = e;
        while (box && box !== article && !scrolls(box)) box = box.parentElement;
        if (box && box !== article) found.set(box, [e, box.scrollWidth - box.clientWidth]);
        else if (right > edge) found.set(e, [e, right - edge]);
    }
    const words = e => e.tagName === 'PRE'
        ? e.textContent.split('\\n').reduce((a, b) => b.length > a.length ? b : a, '') : e.textContent;
    return [...found.values()].map(([e, by]) => `${e.tagName.toLowerCase()}, ${Math.round(by)} px cut off: `
        + (words(e) || e.outerHTML).trim().replace(/\\s+/g, ' ').slice(0, 90));
}"""

# Words of figures that are set in less than 11 pixels as they are shown, or stand beyond the page.
SMALL = """() => [...document.querySelectorAll('.ddpm-drawing text, .ddpm-figure svg text')].flatMap(text => {
    const {left, right, width} = text.getBoundingClientRect();
    if (!width) return [];
    const m = text.getScreenCTM(), size = parseFloat(getComputedStyle(text).fontSize) * Math.hypot(m.a, m.b);
    const found = size < 10.95 ? [`${size.toFixed(1)} px: ${text.textContent}`] : [];
    const beyond = left < -1 || right > document.documentElement.clientWidth + 1;
    const scrolls = text.closest('.ddpm-figure');
    return beyond && !scrolls ? [...found, `beyond the page: ${text.textContent}`] : found;
})"""

# Pictures with a white frame, and drawings with a white ground: sheets of paper on a dark page.
SHEETS = """() => {
    const white = (r, g, b, a) => a > 250 && Math.min(r, g, b) > 235;
    const framed = image => {
        const n = 40, canvas = document.createElement('canvas');
        canvas.width = canvas.height = n;
        const pen = canvas.getContext('2d');
        pen.drawImage(image, 0, 0, n, n);
        const {data} = pen.getImageData(0, 0, n, n);
        let ring = 0, all = 0;
        for (let y = 0; y < n; y++) for (let x = 0; x < n; x++) if (x % (n - 1) === 0 || y % (n - 1) === 0) {
            all++;
            ring += white(...data.slice(4 * (y * n + x), 4 * (y * n + x) + 4));
        }
        return ring > 0.9 * all;
    };
    const rgb = colour => (colour.match(/[\\d.]+/g) || []).map(Number);
    const pale = colour => { const [r, g, b, a = 1] = rgb(colour); return r !== undefined && white(r, g, b, 255 * a); };
    const shown = e => e.getBoundingClientRect().width > 40;
    const images = [...document.querySelectorAll('.bd-article img')].filter(e => shown(e) && e.complete
        && (pale(getComputedStyle(e).backgroundColor) || framed(e)));
    const drawings = [...document.querySelectorAll('.bd-article .ddpm-drawing > svg')].filter(svg => {
        const {width, height} = svg.getBoundingClientRect();
        const covers = e => {
            const box = e.getBoundingClientRect();
            return pale(getComputedStyle(e).fill) && box.width * box.height > 0.3 * width * height;
        };
        return width && (pale(getComputedStyle(svg).backgroundColor)
            || [...svg.querySelectorAll('path, rect')].some(covers));
    });
    return [...images, ...drawings].map(e => 'a white sheet: ' + (e.alt || e.ariaLabel || e.src || '').slice(0, 90));
}"""

PHONE = {"width": 390, "height": 844}


def misfits(page):
    """What does not fit on a page that was opened wide and light; afterwards it is dark and as narrow as a phone."""
    found = [f"at 1280 px, {sentence}" for sentence in page.evaluate(CUT) + page.evaluate(SMALL)]
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    found += page.evaluate(SHEETS)
    page.set_viewport_size(PHONE)
    page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    return found + [f"on a phone, {sentence}" for sentence in page.evaluate(SMALL)]

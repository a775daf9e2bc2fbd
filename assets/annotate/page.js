/** Shows one item at a time, takes answers by key or click, and saves each at once. */

const NAME = 'saeforest-annotator';
const at = (id) => document.getElementById(id);

const { kinds, items } = await (await fetch('api/items')).json();
let annotator = '';
/** Answers that are saved, by item. */
let answers = {};
/** Item that is shown; the number of items stands for the end. */
let place = 0;
/** The answer that is on its way; no other key counts until it is saved. */
let saving = false;

function show(id) {
  for (const name of ['welcome', 'item', 'done']) at(name).hidden = name !== id;
  for (const name of ['progress', 'who', 'footer']) at(name).hidden = id === 'welcome';
}

function say(text, isError = false) {
  at('status').textContent = text;
  at('status').classList.toggle('error', isError);
}

/** The text with its <<marks>> as elements. */
function marked(text) {
  const line = document.createElement('li');
  for (const part of text.split(/(<<.*?>>)/)) {
    if (!part.startsWith('<<')) line.append(part);
    else line.append(Object.assign(document.createElement('mark'), { textContent: part.slice(2, -2) }));
  }
  return line;
}

function group(title, texts) {
  const section = Object.assign(document.createElement('section'), { className: 'group' });
  if (title) section.append(Object.assign(document.createElement('h2'), { textContent: title }));
  const list = document.createElement('ol');
  list.append(...texts.map(marked));
  section.append(list);
  return section;
}

/** Key of an answer: its first letter or digit. */
const keyOf = (answer) => answer[0];

function render() {
  const done = items.filter(({ id }) => id in answers).length;
  at('bar').max = items.length;
  at('bar').value = done;
  at('count').textContent = `${done} of ${items.length}`;
  at('who').textContent = annotator;
  at('back').disabled = place === 0;
  at('forward').disabled = place === items.length;
  at('answers').hidden = place === items.length;
  if (place === items.length) {
    if (done < items.length) {
      at('done').firstElementChild.textContent = `${items.length - done} items are still open`;
      at('done').lastElementChild.textContent = 'Press → to go to the first of them.';
      at('forward').disabled = false;
    } else {
      at('done').firstElementChild.textContent = 'All answered. Thank you!';
      at('done').lastElementChild.textContent =
        'Everything is saved. You can go back with ← and change an answer, or close this page.';
    }
    show('done');
    return;
  }
  const { id, kind, a, b } = items[place];
  at('question').textContent = kinds[kind].question;
  at('hint').textContent = kinds[kind].hint;
  at('groups').replaceChildren(...(b.length > 0 ? [group('A', a), group('B', b)] : [group('', a)]));
  at('answers').replaceChildren(
    ...kinds[kind].answers.map((answer) => {
      const button = Object.assign(document.createElement('button'), { type: 'button', textContent: answer });
      button.setAttribute('aria-pressed', String(answers[id] === answer));
      if (keyOf(answer) !== answer) {
        button.append(Object.assign(document.createElement('kbd'), { textContent: keyOf(answer) }));
      }
      button.addEventListener('click', () => give(answer));
      return button;
    }),
  );
  show('item');
}

/** The first item without an answer, from a place on and round. */
function nextOpen(from) {
  for (let i = 0; i < items.length; i++) {
    const here = (from + i) % items.length;
    if (!(items[here].id in answers)) return here;
  }
  return items.length;
}

function go(to) {
  place = Math.max(0, Math.min(items.length, to));
  say('');
  render();
  scrollTo(0, 0);
}

async function give(answer) {
  if (saving || place === items.length) return;
  saving = true;
  const item = items[place].id;
  try {
    const response = await fetch('api/answers', {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ annotator, item, answer }),
    });
    if (!response.ok) throw new Error((await response.json()).error);
    const isNew = !(item in answers);
    answers[item] = answer;
    go(isNew ? nextOpen(place) : place + 1);
    say(`saved: ${answer}`);
  } catch (error) {
    say(`not saved (${error.message}): is the server still running? Answer again`, true);
  } finally {
    saving = false;
  }
}

async function begin(name) {
  const response = await fetch(`api/answers?annotator=${encodeURIComponent(name)}`);
  if (!response.ok) {
    at('refused').textContent = (await response.json()).error;
    welcome();
    return;
  }
  annotator = name;
  answers = await response.json();
  localStorage.setItem(NAME, name);
  go(nextOpen(0));
}

function welcome() {
  show('welcome');
  at('name').focus();
}

at('welcome').addEventListener('submit', (event) => {
  event.preventDefault();
  at('refused').textContent = '';
  void begin(at('name').value.trim().toLowerCase());
});
at('who').addEventListener('click', () => {
  localStorage.removeItem(NAME);
  annotator = '';
  welcome();
});
const forward = () => go(place === items.length ? nextOpen(0) : place + 1);
at('back').addEventListener('click', () => go(place - 1));
at('forward').addEventListener('click', forward);

document.addEventListener('keydown', (event) => {
  if (annotator === '' || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  if (event.key === 'ArrowLeft') go(place - 1);
  else if (event.key === 'ArrowRight') forward();
  else if (place < items.length) {
    const answer = kinds[items[place].kind].answers.find((one) => keyOf(one) === event.key.toLowerCase());
    if (answer) void give(answer);
  }
});

const remembered = new URLSearchParams(location.search).get('annotator') ?? localStorage.getItem(NAME);
if (remembered) void begin(remembered);
else welcome();

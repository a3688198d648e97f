// The test images, those that the network gets wrong first, and its confusion matrix.
import {element, grouped, make, percent, showInk} from './pictures.js';

const count = 32;

export class Gallery {
  #filter = null; // {label, predicted}, of the matrix's cell chosen
  #shown = 0;
  #asked = 0;

  // Calls pick(pixels, label) when somebody chooses an image.
  constructor(pick) {
    this.pick = pick;
    element('more').addEventListener('click', () => this.#load(false));
    element('all').addEventListener('click', () => this.#choose(null));
  }

  // Shows it for the network of now.
  refresh() {
    this.#filter = null;
    return this.#load(true);
  }

  #choose(filter) {
    this.#filter = filter;
    return this.#load(true);
  }

  async #load(anew) {
    const asked = ++this.#asked;
    const query = new URLSearchParams({offset: anew ? 0 : this.#shown, count, ...this.#filter});
    const response = await fetch(`/api/gallery?${query}`);
    const answer = await response.json();
    if (asked !== this.#asked) return; // something else was asked for since
    const available = response.ok && answer.available;
    element('gallery-parts').hidden = !available;
    if (!available) {
      element('gallery-state').textContent = answer.error ?? `There are none to show: ${answer.reason}`;
      return;
    }
    const items = answer.items.map((item) => this.#item(item));
    if (anew) {
      element('items').replaceChildren(...items);
      this.#showMatrix(answer.confusion);
    } else {
      element('items').append(...items);
      items[0]?.firstChild.focus();
    }
    this.#shown = answer.offset + items.length;
    element('more').hidden = this.#shown >= answer.found;
    element('all').hidden = !this.#filter;
    const chosen = this.#filter;
    element('gallery-state').textContent = chosen
        ? `${grouped(answer.found)} images that are ${chosen.label}, and are called ${chosen.predicted}.`
        : `${grouped(answer.wrong)} of the ${grouped(answer.size)} test images of ${answer.dataset} are taken for ` +
          `another digit (${percent(answer.wrong / answer.size)}). They come first, the most confident mistakes ` +
          'ahead. Choose one to see why.';
  }

  #item({index, label, predicted, confidence, image}) {
    const picture = make('canvas', 'picture black');
    picture.setAttribute('aria-hidden', 'true');
    showInk(picture, image, 255);
    const right = label === predicted;
    const button = make('button', right ? 'right' : 'wrong', picture, make('span', '', `is ${label}`), ' ',
                        make('span', 'says', `says ${predicted}`));
    button.type = 'button';
    button.title = `Test image ${index}: ${percent(confidence)} sure`;
    button.addEventListener('click', () => this.pick(image, label));
    return make('li', '', button);
  }

  #showMatrix(confusion) {
    const head = make('tr', '', make('td'));
    const heading = (text, scope) => {
      const cell = make('th', '', String(text));
      cell.scope = scope;
      return cell;
    };
    confusion.forEach((_, digit) => head.append(heading(digit, 'col')));
    const rows = confusion.map((row, label) => {
      const line = make('tr', '', heading(label, 'row'));
      const total = row.reduce((sum, n) => sum + n, 0) || 1;
      row.forEach((n, predicted) => {
        const right = label === predicted;
        const button = make('button', right ? 'diagonal' : 'off', String(n));
        button.type = 'button';
        button.disabled = n === 0;
        button.title = `${n} images of ${label} are called ${predicted}`;
        button.setAttribute('aria-label', button.title);
        button.setAttribute('aria-pressed',
                            String(this.#filter?.label === label && this.#filter?.predicted === predicted));
        button.style.setProperty('--strength', n === 0 ? 0 : right ? 0.12 + 0.3 * n / total : 0.15 + 3 * n / total);
        button.addEventListener('click', async () => {
          await this.#choose({label, predicted});
          element('confusion').querySelector('[aria-pressed="true"]')?.focus();
        });
        line.append(make('td', '', button));
      });
      return line;
    });
    element('confusion').replaceChildren(make('thead', '', head), make('tbody', '', ...rows));
  }
}

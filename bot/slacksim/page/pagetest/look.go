package pagetest

import (
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// Dark asks the page for its dark colours, or for the light ones.
func (b *Browser) Dark(on bool) {
	b.t.Helper()
	scheme := "light"
	if on {
		scheme = "dark"
	}
	_, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
	})
	require.NoError(b.t, err)
}

// SticksOut names what is wider than the place it is in. What is cut with an
// ellipsis may be, if it says the rest in its title.
func (b *Browser) SticksOut() []string {
	b.t.Helper()
	return JS[[]string](b, `(() => {
		const bad = [];
		if (document.documentElement.scrollWidth > innerWidth) bad.push('the page is ' + document.documentElement.scrollWidth + ' wide');
		for (const el of document.querySelectorAll('body *')) {
			if (!el.checkVisibility() || el.closest('svg, .unseen')) continue;
			const style = getComputedStyle(el);
			if (el.scrollWidth <= el.clientWidth + 1 || !el.clientWidth || style.display === 'inline') continue;
			if (style.textOverflow === 'ellipsis' && el.title) continue;
			bad.push(el.tagName + '.' + el.getAttribute('class') + ': ' + el.innerText.slice(0, 60));
		}
		return bad;
	})()`)
}

// HardToRead names texts whose contrast with what is behind them is below 4.5,
// or 3 for large ones (WCAG 2.2, level AA).
func (b *Browser) HardToRead() []string {
	b.t.Helper()
	return JS[[]string](b, `(() => {
		// What just arrives is still half transparent.
		for (const x of document.getAnimations()) if (x.effect.getTiming().iterations !== Infinity) x.finish();
		const pixel = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
		const known = new Map();
		const rgba = colour => {
			if (!known.has(colour)) {
				pixel.clearRect(0, 0, 1, 1);
				pixel.fillStyle = colour;
				pixel.fillRect(0, 0, 1, 1);
				known.set(colour, [...pixel.getImageData(0, 0, 1, 1).data].map((v, i) => i < 3 ? v : v / 255));
			}
			return known.get(colour);
		};
		const over = (top, below) => [0, 1, 2].map(i => top[i] * top[3] + below[i] * (1 - top[3])).concat(1);
		const light = c => [0.2126, 0.7152, 0.0722].reduce((sum, share, i) => {
			const v = c[i] / 255;
			return sum + share * (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
		}, 0);
		const bad = new Set();
		const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
		while (walk.nextNode()) {
			const el = walk.currentNode.parentElement;
			if (!/[\p{L}\p{N}]/u.test(walk.currentNode.data) || !el.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
			if (el.closest('.unseen, :disabled')) continue;
			const layers = [];
			let opacity = 1;
			for (let e = el; e; e = e.parentElement) {
				const style = getComputedStyle(e);
				opacity *= Number(style.opacity);
				layers.push(rgba(style.backgroundColor));
				if (layers.at(-1)[3] === 1) break;
			}
			const behind = layers.reverse().reduce((below, top) => over(top, below), [255, 255, 255, 1]);
			const style = getComputedStyle(el);
			const ink = rgba(style.color);
			const [a, z] = [light(over([...ink.slice(0, 3), ink[3] * opacity], behind)), light(behind)].sort((x, y) => x - y);
			const size = parseFloat(style.fontSize);
			const ratio = (z + 0.05) / (a + 0.05);
			if (ratio < (size >= 24 || size >= 18.66 && style.fontWeight >= 700 ? 3 : 4.5)) {
				bad.add(ratio.toFixed(2) + ' ' + el.tagName + '.' + el.getAttribute('class') + ': ' + walk.currentNode.data.slice(0, 40));
			}
		}
		return [...bad];
	})()`)
}

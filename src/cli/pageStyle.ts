/** The page's style. Towards and away differ by side and words as well as by colour. */
export const pageStyle = `
:root { color-scheme: light dark; --ground: #fff; --ink: #1f2328; --faint: #59636e; --line: #d1d9e0; --towards: #0a62c2; --away: #b3470b; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #15181c; --ink: #e6e9ee; --faint: #a3adb8; --line: #3a424c; --towards: #6cb2ff; --away: #ff9d5c; }
}
@media (forced-colors: active) { .bar span, .segments span { forced-color-adjust: none; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 15px/1.4 system-ui, sans-serif; }
main { max-width: 72rem; margin: 0 auto; padding: 1.5rem; }
header { display: flex; flex-wrap: wrap; gap: 1.5rem; align-items: flex-start; padding-bottom: 1.5rem; border-bottom: 1px solid var(--line); }
h1 { margin: 0; font-size: 1.6rem; } h2 { font-size: 1.15rem; }
p { margin: 0.15rem 0; } .verdict { font-size: 1.1rem; } .place, .id, dt { color: var(--faint); font-size: 0.87rem; }
.place { overflow-wrap: anywhere; }
dl { display: flex; flex-wrap: wrap; gap: 0.4rem 1.5rem; margin: 0.75rem 0 0; } dd { margin: 0; }
dl.row { display: grid; grid-template-columns: auto auto; gap: 0 0.75rem; font-size: 0.8rem; }
img { image-rendering: pixelated; background: var(--line); border-radius: 3px; flex: none; height: auto; }
header > img { width: 112px; } li > img { width: 56px; }
.lists { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(26rem, 100%), 1fr)); gap: 0 2.5rem; }
ol { list-style: none; margin: 0; padding: 0; }
ol > li { display: flex; align-items: flex-start; gap: 0.9rem; padding: 0.6rem 0; border-bottom: 1px solid var(--line); }
ol > li > div { flex: 1; min-width: 0; }
.score { float: right; font-variant-numeric: tabular-nums; }
.towards .score, .towards h2 { color: var(--towards); } .away .score, .away h2 { color: var(--away); }
.bar { display: flex; height: 0.6rem; margin: 0.3rem 0; background: color-mix(in srgb, var(--line) 45%, transparent); }
.towards .bar span { background: var(--towards); } .away .bar { justify-content: flex-end; } .away .bar span { background: var(--away); }
.detail { display: flex; align-items: center; gap: 0.9rem; }
.segments { display: flex; flex: none; gap: 4px; height: 2.2rem; margin: 0.3rem 0; padding: 0; list-style: none; }
.segments li { position: relative; width: 1.6rem; background: linear-gradient(var(--line), var(--line)) center / 100% 1px no-repeat; }
.segments span { position: absolute; left: 20%; right: 20%; } .above { bottom: 50%; background: var(--towards); } .below { top: 50%; background: var(--away); }
.segments b { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
blockquote { margin: 0; flex: 0 1 16rem; overflow-wrap: anywhere; }
`;

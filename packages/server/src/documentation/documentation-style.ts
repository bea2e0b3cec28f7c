/** In light and in dark, wide and narrow; colours have a contrast of 4.5 and more. */
export const documentationStyle = `
:root { color-scheme: light dark; --line: #8886; --get: light-dark(#0a5, #4d9); --change: light-dark(#a50, #fb6); --delete: light-dark(#b00, #f88); }
body { margin: 0; font: 1rem/1.5 system-ui, sans-serif; display: grid; grid-template-columns: 16rem minmax(0, 1fr); }
nav { position: sticky; top: 0; height: 100vh; overflow: auto; box-sizing: border-box; padding: 1rem; border-right: 1px solid var(--line); }
nav ul { list-style: none; margin: 0; padding: 0; }
main { padding: 1rem 2rem; max-width: 75rem; }
details { border: 1px solid var(--line); border-radius: 4px; margin: .5rem 0; padding: .25rem .75rem; }
details:target { outline: 2px solid; }
summary { cursor: pointer; overflow-wrap: anywhere; }
summary span { display: block; padding-left: 4.5rem; }
summary b { display: inline-block; min-width: 4.25rem; }
.get { color: var(--get); } .put, .post, .patch { color: var(--change); } .delete { color: var(--delete); }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .25rem .75rem .25rem 0; border-bottom: 1px solid var(--line); overflow-wrap: anywhere; }
pre { overflow: auto; max-height: 40rem; }
code, pre { font-size: .875rem; }
td details { border: 0; margin: 0; padding: 0; }
@media (max-width: 45rem) { body { display: block; } nav { position: static; height: auto; border: 0; } main { padding: 1rem; } }
`.trimStart();

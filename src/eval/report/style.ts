/** The report's whole style sheet: paper and ink by day, slate by night, and four glazes of tile. */
export const style = `
:root{color-scheme:light dark;--paper:#f7f5f0;--tile:#fffefb;--ink:#23262b;--soft:#6b6f76;--line:#e3dfd6;--teal:#0f766e;--clay:#c2512c;--gold:#b7841b;--indigo:#4453a8;--mark:#fbd7c8;--good:#18794e;--rose:#a8356f;--olive:#5e7518;--sky:#1f7fb5;--umber:#7a5a44}
@media(prefers-color-scheme:dark){:root{--paper:#16181b;--tile:#1e2125;--ink:#e8e6e1;--soft:#9a9ea6;--line:#31353b;--teal:#3fb8a9;--clay:#f08a63;--gold:#e0b04a;--indigo:#8f9cf0;--mark:#6a3422;--good:#5cc08f;--rose:#ef86b6;--olive:#b3cc5a;--sky:#62bdf0;--umber:#c9a58b}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.55 ui-sans-serif,system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif}
main,header,footer{max-width:1060px;margin:0 auto;padding:0 28px}
header{padding-top:44px}
.mosaic{display:block;width:100%;height:26px;border-radius:6px;margin-bottom:28px}
h1,h2{font-family:ui-serif,"Iowan Old Style",Palatino,Georgia,serif;font-weight:600;letter-spacing:-.01em}
h1{font-size:38px;line-height:1.15;margin:0 0 6px}
h2{font-size:25px;margin:52px 0 8px}
h3{font-size:14px;letter-spacing:.08em;margin:0}
.facts{color:var(--soft);margin:0 0 28px;display:flex;flex-wrap:wrap;gap:4px 22px;font-size:14px}
.facts b{color:var(--ink);font-weight:600}
.lead{color:var(--soft);max-width:74ch;margin:0 0 18px}
.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(220px,1fr));gap:14px}
.figure,.task,.card,figure,.panel{background:var(--tile);border:1px solid var(--line);border-radius:12px}
.figure{padding:18px 20px;border-top:5px solid var(--accent)}
.label{font-size:13.5px;color:var(--soft)}
.number{font-size:46px;line-height:1.15;font-weight:650;letter-spacing:-.02em;font-variant-numeric:tabular-nums;color:var(--accent)}
.beside{font-size:13px;color:var(--soft);font-variant-numeric:tabular-nums;display:flex;justify-content:space-between;gap:10px}
.figure,.task{--accent:var(--teal)}.chair{--accent:var(--clay)}.vqa{--accent:var(--indigo)}
.task{padding:20px 22px 14px;margin:0 0 16px}
.task h3{color:var(--accent)}.task>p{margin:2px 0 12px}
.scroll{overflow-x:auto;background:linear-gradient(90deg,var(--tile) 30%,transparent) left/40px 100% no-repeat local,linear-gradient(-90deg,var(--tile) 30%,transparent) right/40px 100% no-repeat local,linear-gradient(-90deg,var(--line),transparent) right/14px 100% no-repeat scroll}
table{border-collapse:collapse;width:100%;font-size:14.5px}
th:first-child{width:124px}td:nth-child(2){width:132px}th,td{text-align:left;padding:5px 8px 5px 0;white-space:nowrap;font-weight:400}
thead th{color:var(--soft);font-size:12.5px;border-bottom:1px solid var(--line)}
tbody+tbody tr:first-child>*{border-top:1px solid var(--line)}
tbody th{font-weight:600}
.n{text-align:right;font-variant-numeric:tabular-nums;padding-right:14px}
.score{font-weight:700}.blind{color:var(--soft)}.arrow{color:var(--soft)}
.plot{width:176px}thead .plot{font-variant-numeric:tabular-nums}thead .plot i{font-style:normal;float:right;margin-right:12px}
td.plot svg{display:block}
.track{stroke:var(--line);stroke-width:2}.half{stroke:var(--line);stroke-width:2}
.interval{stroke:var(--accent);stroke-width:7;stroke-linecap:round;opacity:.32}.dot{fill:var(--accent)}
circle.blind{fill:var(--tile);stroke:var(--soft);stroke-width:1.6}
.note{font-size:13px;color:var(--soft);margin:12px 0 4px!important}
code,pre{font:13px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
.note code{color:var(--ink);overflow-wrap:anywhere}
.cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(470px,1fr));gap:16px}
@media(max-width:560px){.cards{grid-template-columns:1fr}.card{flex-direction:column}}
.card{display:flex;gap:18px;padding:16px;align-items:flex-start}
.card img{width:192px;height:auto;border-radius:8px;flex:none;border:1px solid var(--line)}
.crisp{image-rendering:pixelated}
.thumbs{display:grid;grid-template-columns:repeat(auto-fill,minmax(160px,1fr));gap:14px}.thumbs figure{padding:12px}.thumbs p{margin:6px 0;overflow-wrap:anywhere}.thumbs img{width:100%}section>img{max-width:240px;min-width:120px;margin:0 0 14px}section img{height:auto;border-radius:8px;border:1px solid var(--line)}
dl{margin:0;flex:1;min-width:0;display:grid;gap:10px}
dt{font-size:13px;color:var(--soft)}
dd{margin:0;display:grid;grid-template-columns:20px 1fr auto;align-items:baseline;overflow-wrap:anywhere;line-height:1.4}
.answer{white-space:pre-wrap}.answer:has(+.long){grid-column:2/4}.truth.long{grid-column:2/4}.truth.short{padding-left:8px}
.better,.worse{border-left:3px solid var(--good);padding-left:10px}.worse{border-color:var(--clay)}.part{margin:22px 0 10px}
.right{color:var(--good);font-weight:700}.wrong{color:var(--clay);font-weight:700}
.truth{font-size:13px;color:var(--soft)}.truth b{font-weight:400;opacity:.75}.truth b::after{content:":"}
mark{background:var(--mark);color:inherit;border-radius:3px;padding:0 2px;box-shadow:inset 0 -2px 0 var(--clay)}
.curves{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(400px,100%),1fr));gap:16px}
figure{margin:0;padding:16px 16px 8px}figcaption{display:flex;justify-content:space-between;font-size:14px;margin-bottom:6px}figcaption span{color:var(--soft);font-variant-numeric:tabular-nums}
figure svg{width:100%;height:auto;display:block}
.grid{stroke:var(--line)}.tick,.axis{fill:var(--soft);font-size:11.5px;font-variant-numeric:tabular-nums}
.s0{--accent:var(--teal)}.s1{--accent:var(--clay)}.s2{--accent:var(--indigo)}.s3{--accent:var(--gold)}.s4{--accent:var(--rose)}.s5{--accent:var(--olive)}.s6{--accent:var(--sky)}.s7{--accent:var(--umber)}
.raw{fill:none;stroke:var(--accent);stroke-width:1;opacity:.32}.mean{fill:none;stroke:var(--accent);stroke-width:2.2;stroke-linejoin:round}.end{fill:var(--accent)}.ring{fill:var(--tile);stroke:var(--accent);stroke-width:1.8}
.dashed .mean{stroke-dasharray:6 4}
.chip{white-space:nowrap}.chip::before{content:"";display:inline-block;width:14px;height:4px;border-radius:2px;background:var(--accent);margin-right:7px;vertical-align:.25em}.chip.dashed::before{background:linear-gradient(90deg,var(--accent) 40%,transparent 40% 60%,var(--accent) 60%)}
.legend{display:flex;flex-wrap:wrap;gap:4px 20px;margin:0 0 12px;font-size:14px}
.plain th:first-child,.plain td:nth-child(2){width:auto}.plain td,.plain th{vertical-align:middle;padding-right:22px}.small{font-size:12px;color:var(--soft)}.ends{display:flex;justify-content:space-between;width:160px;padding:0 1px}
@media(max-width:640px){.plot{display:none}.task{padding:16px 12px 10px}table{font-size:13px}th:first-child,td:nth-child(2){width:auto}.n{padding-right:8px}.scroll th:first-child{position:sticky;left:0;background:var(--tile)}.plain .chip{white-space:normal}.plain td,.plain th{padding-right:12px}main,header,footer{padding-left:16px;padding-right:16px}.panel{padding:12px 14px}h1{font-size:30px;overflow-wrap:anywhere}}
.run .small{display:block}.within{display:none}
@media(max-width:640px){.interval-of{display:none}.within{display:block;font-weight:400}}
@media(max-width:640px){.stack,.stack tbody,.stack th,.stack td{display:block}.stack thead{display:none}.stack tr{display:block;padding:10px 0}.stack tr+tr,.stack tbody+tbody tr:first-child{border-top:1px solid var(--line)}.stack tbody tr>*,.stack tbody+tbody tr:first-child>*{border:0}.stack th,.stack td{padding:0 0 3px;white-space:normal;text-align:left;overflow-wrap:anywhere}.stack th:empty{display:none}.stack td[data-label]{display:flex;justify-content:space-between;gap:14px}.stack td[data-label]::before{content:attr(data-label);color:var(--soft)}.stack td.run{box-shadow:inset 4px 0 var(--accent);padding-left:12px;margin-bottom:4px}.stack .run .small{display:inline}.stack td.plot{display:block;width:100%;padding:4px 0 8px}.stack td.plot:empty{display:none}.stack td.plot svg{width:100%;height:auto}.scroll th:first-child{position:static}}
.panel{padding:16px 20px}.panel+.panel{margin-top:14px}
.panel ul{margin:4px 0 0;padding-left:20px;color:var(--soft)}
pre{margin:0;overflow-x:auto;white-space:pre-wrap;overflow-wrap:anywhere}
summary{cursor:pointer;color:var(--soft);font-size:13px}.task figure{max-width:520px;margin:14px 0 4px}.task details{margin-top:8px}.task details table{margin-top:8px}details pre{margin-top:10px}
footer{color:var(--soft);font-size:13px;padding-top:34px;padding-bottom:44px}
`;

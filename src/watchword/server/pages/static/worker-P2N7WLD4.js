/* Licences of what is inside: /assets/licences-66a2606e70ee9e48.txt */
var i=class extends Error{constructor(r,n=!1){super(r);this.step=r;this.byTime=n}step;byTime;name="ProtocolError"};var Z=new Uint8Array(0),g="ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",P=new Map([...g].map((e,t)=>[e.charCodeAt(0),t])),H=new RegExp("\\p{Surrogate}","u");function d(e){return!H.test(e)}function b(e){if(!d(e))throw new i("text");return new TextEncoder().encode(e)}function e1(e){try{return new TextDecoder("utf-8",{fatal:!0,ignoreBOM:!0}).decode(e)}catch{throw new i("text")}}function t1(...e){let t=new Uint8Array(e.reduce((n,o)=>n+o.length,0)),r=0;for(let n of e)t.set(n,r),r+=n.length;return t}function r1(e){return Array.from(e,t=>t.toString(16).padStart(2,"0")).join("")}function n1(e){if(!/^(?:[0-9a-f]{2})*$/.test(e))throw new i("hexadecimal");return Uint8Array.from(e.match(/../g)??[],t=>Number.parseInt(t,16))}function o1(e){let t="";for(let r=0;r<e.length;r+=3){let[n=0,o=0,a=0]=e.subarray(r,r+3),f=n<<16|o<<8|a,M=Math.min(e.length-r,3)+1;for(let l=0;l<M;l++)t+=g.charAt(f>>18-6*l&63)}return t}function z(e){if(e.length%4===1)throw new i("base64url");let t=new Uint8Array(Math.floor(e.length*3/4)),r=0,n=0,o=0;for(let a=0;a<e.length;a++){let f=P.get(e.charCodeAt(a));if(f===void 0)throw new i("base64url");r=(r<<6|f)&65535,n+=6,n>=8&&(n-=8,t[o++]=r>>n&255)}if((r&(1<<n)-1)!==0)throw new i("base64url");return t}function a1(e,t){let r=z(e);if(r.length!==t)throw new i("base64url");return r}function s1(e,t){let r=e.length^t.length;for(let n=0;n<e.length;n++)r|=(e[n]??0)^(t[n]??0);return r===0}function i1(...e){for(let t of e)t.fill(0)}function c1(e){return crypto.getRandomValues(new Uint8Array(e))}async function f1(e){return new Uint8Array(await crypto.subtle.digest("SHA-256",e))}var p=36,s=class{edges;constructor(t){this.edges=y(m(t).map(r=>Number.parseInt(r,p)))}has(t){return t!==void 0&&w(this.edges,t)%2===1}},h=class{edges;numbers;names;constructor(t,r){this.names=t.replaceAll(`
`," ").split(",").map(o=>o.trim());let n=m(r).map(o=>o.split(":").map(a=>Number.parseInt(a,p)));this.edges=y(n.map(([o=0])=>o)),this.numbers=n.map(([,o=0])=>o)}of(t){let r=this.names[this.numbers[Math.max(w(this.edges,t)-1,0)]??-1];if(r===void 0)throw new i("tables");return r}};function m(e){return e.split(/\s+/).filter(Boolean)}function d1(e){return new Map(m(e).map(t=>{let[r="",n=""]=t.split("=");return[C(r),n]}))}function C(e){return String.fromCodePoint(Number.parseInt(e,p))}function y(e){let t=0;return e.map(r=>t+=r)}function w(e,t){let r=t.codePointAt(0)??0,[n,o]=[0,e.length];for(;n<o;){let a=n+o>>1;(e[a]??0)<=r?n=a+1:o=a}return n}var x=`
w 2n x d 1 9 1 if 1 11 1 2 2 6 4 7 1 1 1 k 1 b1 1 12 2 1e 2 3 1 1j 8 r 4 4 j m 1 z 1 v a 37 1 i a k 2 1n 2
2t e 1m 3 1d 2 f 1 s 2 1 1 b 5 v 9 22 1 4h 1 8 2 2 2 m 1 7 1 1 3 4 2 9 2 2 2 4 8 1 4 2 1 5 2 p 2 3 1 6 4 2 2
m 1 7 1 2 1 2 1 2 2 1 1 5 4 2 2 3 3 1 7 4 1 1 7 h a 3 1 9 1 3 1 m 1 7 1 2 1 5 2 a 1 3 1 3 2 1 f 4 2 c 7 7 1
3 1 8 2 2 2 m 1 7 1 2 1 5 2 9 2 2 2 3 7 3 4 2 1 5 2 i a 2 1 6 3 3 1 4 3 2 1 1 1 2 3 2 3 3 3 c 4 5 3 3 1 4 2
1 6 1 e l 5 d 1 3 1 n 1 g 2 9 1 3 1 4 7 2 1 3 2 1 2 4 2 a 7 m 1 3 1 n 1 a 1 5 2 9 1 3 1 4 7 2 6 2 1 4 2 a 1
2 d d 1 3 1 1f 1 3 1 6 4 g 2 q 1 3 1 i 3 o 1 9 1 1 2 7 3 1 4 6 1 1 1 8 6 a 2 3 c 1m 4 t 11 2 1 1 1 5 1 o 1 1
1 n 2 5 1 1 1 6 2 a 2 4 w 20 1 10 4 13 1 10 1 f 1 d 11 5i 1 1 5 1 2 1c 74 21 1 4 2 7 1 1 1 4 2 15 1 4 2 x 1
4 2 7 1 1 1 4 2 f 1 1l 1 4 2 1v 2 w 3 q 6 2e 2 6 2 il 3 2h 7 m 9 o 9 k c d 1 3 1 2 c 1g 2 14 2 a 6 a 6 b 5 a
6 2h 7 17 5 1y a v 1 c 4 c 4 1 3 16 2 5 b 18 4 q 6 b 3 1q 2 1t 1 t 2 b 6 a 6 e 2 v 1d 25 3 1b 1 38 8 1o 3 f
3 1o 7 17 2 b 8 17 5 eu 2 6 2 12 2 6 2 8 1 1 1 1 1 1 1 v 2 1h 1 f 1 e 2 6 1 j 2 3 1 9 1 b 5 o 7 1d g 2 2 r 1
d 3 x f x f 3w 4 if p b l 1ec 2 w 1 9p 5 19 1 1 5 1 2 1k 7 2 e o 9 7 1 7 1 7 1 7 1 7 1 7 1 7 1 7 1 3i y q 1
2h c 5y q c 4 1a 2 1 5 5 1 4 1 2e 2 2q 1 4 5 17 1 1f 1 16 1 2c c 1b 1 mlp 3 1j 9 9o k 54 8 5n 5 2 1 1 1 5 o
1n 3 a 6 1k 8 1y 8 c 6 38 b 1 w 26 1 b 4 x 1 1j 9 e 2 a 2 2v o s a 6 2 6 2 6 9 7 1 7 1 1o 4 3i 2 a 6 8mc 6l8
a6 2 2y 12 7 c 5 5 q 1 5 1 1 1 2 1 2 1 3h g cd 2 1i 7 1 w g g a 6 1f 1 j 1 4 4 5 1 3r 4 4f 1 u 3 6 2 6 2 6 2
3 3 7 1 7 d 2 2 c 1 q 1 j 1 2 1 f 2 e y 3f 5 3 4 19 3 2g 1 d 3 1 1b 1a 3m t 3 1d f s 4 10 9 u 5 17 5 u 1 11
4 e 16 4e 2 a 6 10 4 10 4 14 8 1g b c 1 f 1 7 1 2 1 b 1 f 1 7 1 2 1v 8n 9 m a 8 o 6 1 16 1 9 1x 6 2 1 1 18 1
2 3 1 2 n 1 20 8 9 1c j 1 2 5 x 3 r 5 1 1s 1k 4 k 2 1e 1 2 5 8 1 3 1 t 2 3 4 a 7 9 7 1s w 13 4 c 9 1i 3 t 2
r 5 q 7 4 c 7 28 21 1j 1f d 1f 7 1a 8 a 86 v 1 16 1 3 2 2 26 14 8 16 m q 12 s k n 9 26 4 10 9 1q 1 5 d p 7 a
6 1h 1 i 8 13 9 2o 1 k b i 1 18 1t 7 1 1 1 4 1 f 1 b 6 1n 5 a 6 4 1 8 2 2 2 m 1 7 1 2 1 5 1 a 2 2 2 3 2 1 6
1 5 7 2 7 3 5 3v 2k 1 5 u 20 8 a 4m 1i 2 12 y 1x b a 6 d j 1m 6 a 1i r 2 f 4 n 55 1o 2s 2b c 8 2 1 2 8 1 2 1
u 1 2 2 c 9 a 1y 8 2 1a 2 b r 20 8 2b d 21 7b 9 1 19 1 e a t 3 w 2 m 1 e 21 7 1 2 1 18 3 1 1 2 1 9 8 a 6 6 1
2 1 11 1 2 1 6 7 a 8m p 53 1 f 1e d pn 2u 33 1 5 b 5g 218 2r d tr 34h g7 6nt ft 7 v 1 a 4 29 1 a 6 u 2 6 a
1y a a 1 7 1 l 5 j j4 2j 2t 23 4 1l 7 h 1s 5 b 2 e 4qg 8 ye 16 9 6w7 4 1 7 1 2 1 83 19 3 h 4 8 b0 1s4 2z 5 d
3 9 7 a 2 4 3mo 1a 2 n 9 38 1o 6u a 13 2 22 8 34 l 1y 4a k c 2f 9 p 3r 2d 1 1z 1 2 2 1 2 2 2 4 1 c 1 1 1 7 1
1t 1 4 2 8 1 7 1 s 1 4 1 5 1 1 3 7 1 9g 2 84 2 ji f 5 1 f uo v 69 7 1 h 2 7 1 2 1 5 5x 19 3 e 2 a 4 2 8w v h
1m 5 1 yo 7 1 4 1 2 1 f 1 5h 2 g 15 24 4 a 4 2 lt 1w 24 1p 5e 4 1 r 1 2 1 1 2 1 1 a 1 4 1 1 1 1 6 1 4 1 1 1
1 1 1 3 1 2 1 1 2 1 1 1 1 1 1 1 1 1 1 2 1 1 2 4 1 7 1 4 1 4 1 1 1 a 1 h 5 3 1 5 1 h 1g 2 7i 18 4 2s c f 2 f
1 f 1 11 a 4u 1k t d 18 4 9 7 2 e 6 4a rc 5 g 3 d 3 38 c 2h 7 c 4 1 f c 4 1k 8 a 6 14 8 u 2 2 26 9g c e 2 5
3 5 3 7 9 t 3 b 5 6 a a 6 8 8 7 9 43 1 1j 11 a sm wyo w 37d 7 66 2 4g2 e 5rl 2e7 f2 15u 3t7`,A=`
1u5 1 3j 1 3j 4 3g 3 3h 8 3c 3 3h 8 3c 8 2u 2 g 1 3g 5 2z 5 3f 1 5l 1 50 2 1cp b l 1 4d 1 i5 1 6b 1 2t 2 1y
a 3gj 1 o7a 1 11 4 44 1 3y c 2p 1 8l b 6k 3 imn 1 16u 1 15 1 e 1 1l 1 3d 3 3u 1 38 1 50 6 2l 3 6q 1 3j 1 70
1 3j 1 3a 1 38 5 7d 1 77 2 4h 1 2b 1 i 9 21 1 bp 1 78 2 29 1`,j="x9u 1 jfe 1 9 1 fc 1 ju l",E=`
17m 4 1 1 1 1 5 4 l 1 14 3 1 3 g i 12 1 2 9 1 1 1 1 2 2 1 1 o 2 w 1 4 5 4 1 9 1 1 1 1 1 2 1 t 1 b 3 f 2 4 1
1 2 3 2 5i 1 5 2 1 1 a 1 1 3 e 1 1 q b a i 3 1 1 2 2 6 1 1eyz 1 1 1 1 2 3 5 a 1 3 1 2 1 a 1 41 1 1 3 3 1 2 1
1 2 1 8 g 4 ad 1 eo 1 w 1 v 2 1q 3 2 2 2 1 4 2 5 1`,v=`
17k 1 5 1 1 1 1 5 4 l 1 2 z 2 8 g i 12 1 2 9 1 1 1 1 2 14 3 2 1 i 3 5 4 1 9 1 1 1 1 1 2 v b 3 f 2 4 1 1 2 3
2 6 22 x 2e 5 2 1 1 a 1 1 a 1 1 4 2 1 t 1 2 5 i a 5 2 2 6 1 f 30e 1 o 2o 7 y 1 6 scw 1e jf2 5 e 4 1 5 1 3 a
4 41 1 1 1 3 3 1 2 1 1 2 1 s 2 9e x 1 1 ek 3 1 h c 3 s 4 2 c 1a 1 1 2 4 1 2 2 1 2 1 1 2 1 5 1 16wl 1w`,k=`
lc 34 7n 7 7b 19 1 1 1 2 1 2 1 9 1s b 1c l g 1 2t 8 1 6 2 2 1 4 z 1 u t 2h b 1m 9 9 1 o 4 1 9 1 3 1 7 15 5
1m 8 16 1l 1j 1 1 1 4 8 4 1 3 7 a 2 t 1 1m 1 4 6 6 1 k 4 o 5 1l 2 3 o n 2 3 1 b 2 1l 1 4 8 4 3 i 4 k 8 1m 1
2 1 1 6 6 a b 4 s 1 1p 1 c 3 1c 1 3 1 1j 1 1 3 5 i a 4 r 1 1m 1 2 1 6 1 5 9 d 4 q 2 1l 2 4 5 7 1 k 4 r 1 20
5 3 6 2h 1 2 b 8 8 2q 1 2 9 b 8 20 2 r 1 1 1 1 1 1j e 1 5 1 2 5 1d 8 1 2u 4 1 6 1 2 2 2 p 2 4 3 g 4 d 1 2 2
6 1 f 1 jj 3 qa 3 t 2 u e i e 1j 7 8 1 2 b 9 3 4l 2 y 1 3a 3 4 2 9 1 6 7 5z 2 2 3 1k 1 1 9 1 1 2 8 6 d 1c 2c
1c 1 1 5 1 1 5 1 14 9 c 2 w 4 2 2 1 3 1k 1 1 2 3 1 1 3 1m 8 2 5 45 3 1 d 1 7 4 1 6 1 3 2 5i 1s k0 1c 2cv 3
3x 1 2o w fe 6 2x 2 n9w 4 1 a w 2 28 2 7k 1 3 1 4 1 p 2 5 4 44 a i i d 1 12 8 p b 1a 3 1c 1 2 4 2 2 13 1 1v
6 2 2 2 b 3 1 8 1 1b 1 1f 1 1 3 2 2 5 2 1 1 16 2 8 b 6c 1 2 1 4 3 fn2 1 ld g r1 3n 2o 1 45 a 1a9 f 14 8 4l 6
ft c aj 2 49 b 1d 4 3f 1 1i f 15 1 2 2 a 3 1d 4 2 2 7 e 1c 3 10 5 1 9 1p 1 c 2 1g 9 a 4 2 1 2n 3 2 1 1 2 6
1u 2n 1 3 d g 2 1l 2 3 1 11 4a 1k 8 2 3 1 1 n 1 2c 6 1 1 4 2 1 2 6m 6 4 2 1 2 r 10 1f 8 2 1 1 2 2y 1 1 1 2 6
1 1 2t 1 1 1 2 4 1 9 73 9 1 2 74 2 1 1 4 1 40 8 4 1 w a 14 6 2 4 8 9 1 6 2 3 1a d 1 2 ba e 1 1 2a n 1 7 1 2
1 23 1d l 1 9 1s 3 2 1 1 1 9n 2 f0b 5 1n 7 t4 1 1r 4 29 c f59 2 3mp 28 ev 3 h 8 2 7 u 4 44 3 1iz 1j 4 1e 8 1
e 1 m v9 74 74 1c 7 af i 18 4 15s 1c 1w c`,N="og 4 1 9 1 6 1 1 1 2i e g 4yu 5 1e 5 4 5 2c 1 8w 74 86 1 rb2 1 gyi 28 g 1c 154g 68",R="13l 39 1cev 1f",_=`
96o a8 l 1 1 1 p 9 e 4 5 2g 4 3 1 2i 2 8 6j g 5s 1b 1 2g 4o 534 1s g74 hkw e8 va a 1 19 m6c 2 c g cmo ao cr4
1 2rj`;var I=new s(A),u={left:new s(j),right:new s(E),dual:new s(v),transparent:new s(k)},J=new s(N),L=new s(R),F=new s(_),B=/[\u0660-\u0669]/,S=/[\u06f0-\u06f9]/;function q(e,t){return e.every((r,n)=>t.has(r)||G(e,n))}function G(e,t){let[r,n="",o]=[e[t-1],e[t],e[t+1]];switch(n){case"‌":return I.has(r)||K(e,t);case"‍":return I.has(r);case"·":return r==="l"&&o==="l";case"͵":return J.has(o);case"׳":case"״":return L.has(r);case"・":return e.some(a=>F.has(a))}return B.test(n)?!e.some(a=>S.test(a)):S.test(n)?!e.some(a=>B.test(a)):!1}function K(e,t){return O(e.slice(0,t).reverse(),u.left)&&O(e.slice(t+1),u.right)}function O(e,t){let r=e.find(n=>!u.transparent.has(n));return t.has(r)||u.dual.has(r)}var c=class extends Error{constructor(r){super(r);this.reason=r}reason;name="PasswordRefused"},U=256,W=4*U,V=/[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]/g,X=new s(x);function x1(e){return b(Y(e))}function Y(e){if(!d(e))throw new c("not_text");if(e==="")throw new c("empty");if(T(e)>W)throw new c("too_long");let t=e.replace(V," ").normalize("NFC");if(!q([...t],X))throw new c("character");if(T(t)>U)throw new c("too_long");return t}function T(e){return[...e].length}export{i as a,Z as b,d as c,b as d,e1 as e,t1 as f,r1 as g,n1 as h,o1 as i,z as j,a1 as k,s1 as l,i1 as m,c1 as n,f1 as o,s as p,h as q,m as r,d1 as s,C as t,q as u,c as v,x1 as w,Y as x,T as y};

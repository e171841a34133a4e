/* Licences of what is inside: /assets/licences-66a2606e70ee9e48.txt */
import{a,b,c,d,e,f,g,h}from"/assets/worker-3V2CCOKN.js";import"/assets/worker-DJ67CCYT.js";import"/assets/worker-7QXZPJLJ.js";export{a as NameRefused,d as checkText,f as enforceUsername,e as hasInvisible,g as isSingleScript,b as judgeName,c as reasonOf,h as refuse};

/* Licences of what is inside: /assets/licences-66a2606e70ee9e48.txt */
import{a,b,c,d,e,f,g,h}from"/assets/worker-VHX55MLA.js";import"/assets/worker-YO6NTTD7.js";import"/assets/worker-P2N7WLD4.js";export{a as NameRefused,d as checkText,f as enforceUsername,e as hasInvisible,g as isSingleScript,b as judgeName,c as reasonOf,h as refuse};

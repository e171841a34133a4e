/* Licences of what is inside: /assets/licences-66a2606e70ee9e48.txt */

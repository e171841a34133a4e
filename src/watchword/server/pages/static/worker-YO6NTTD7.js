/* Licences of what is inside: /assets/licences-66a2606e70ee9e48.txt */
import{r as n,s as t,t as o}from"/assets/worker-P2N7WLD4.js";var r=`
51:1:lj an:1:-7g n9:1:38 qq:1:1 r4:1:-u r5:1:-p r9:1:-f ra:1:-m s0:1:-1i s1:1:-1c s5:1:-1s 3vk:2e:0 3y0:6:-8
5mo:1:-4su 5mp:1:-4st 5mq:1:-4sk 5mr:2:-4si 5mt:1:-4sj 5mu:1:-4sc 5mv:1:-4ro 5mw:1:r7n 61n:1:-1m 69q:1:-5j9
xv4:28:-tzk`,l=`
67=37_37 95=jg_32 ds=2y_lo pc=qh_lk_ld q8=qt_lk_ld 13b=12d_136 61i=2w_mp 61j=38_lk 61k=3b_lm 61l=3d_lm
61m=2p_ji 61q=37_37 66o=qt_lv 66q=qt_lv_lc 66s=qt_lv_ld 66u=qt_lv_n6 680=64g_qh 681=64h_qh 682=64i_qh
683=64j_qh 684=64k_qh 685=64l_qh 686=64m_qh 687=64n_qh 688=64g_qh 689=64h_qh 68a=64i_qh 68b=64j_qh
68c=64k_qh 68d=64l_qh 68e=64m_qh 68f=64n_qh 68g=65c_qh 68h=65d_qh 68i=65e_qh 68j=65f_qh 68k=65g_qh
68l=65h_qh 68m=65i_qh 68n=65j_qh 68o=65c_qh 68p=65d_qh 68q=65e_qh 68r=65f_qh 68s=65g_qh 68t=65h_qh
68u=65i_qh 68v=65j_qh 68w=674_qh 68x=675_qh 68y=676_qh 68z=677_qh 690=678_qh 691=679_qh 692=67a_qh
693=67b_qh 694=674_qh 695=675_qh 696=676_qh 697=677_qh 698=678_qh 699=679_qh 69a=67a_qh 69b=67b_qh
69e=67k_qh 69f=q9_qh 69g=q4_qh 69i=q9_n6 69j=q9_n6_qh 69o=q9_qh 69u=67o_qh 69v=qf_qh 69w=q6_qh 69y=qf_n6
69z=qf_n6_qh 6a4=qf_qh 6aa=qh_lk_lc 6ab=qh_lk_ld 6ae=qh_n6 6af=qh_lk_n6 6aq=qt_lk_lc 6ar=qt_lk_ld 6as=qp_lv
6au=qt_n6 6av=qt_lk_n6 6b6=67w_qh 6b7=qx_qh 6b8=r2_qh 6ba=qx_n6 6bb=qx_n6_qh 6bg=qx_qh 1dkw=2u_2u 1dkx=2u_2x
1dky=2u_30 1dkz=2u_2u_2x 1dl0=2u_2u_30 1dl1=37_38 1dl2=37_38 1dlf=12s_12u 1dlg=12s_12d 1dlh=12s_12j
1dli=132_12u 1dlj=12s_12l`;var d=36,e=new Map([...a(),...m()]);function k(h){return Array.from(h,_=>e.get(_)??_.toLowerCase()).join("")}function*a(){for(let h of n(r)){let[_=0,s=0,i=0]=h.split(":").map(q=>Number.parseInt(q,d));for(let q=_;q<_+s;q++)yield[String.fromCodePoint(q),String.fromCodePoint(q+i)]}}function*m(){for(let[h,_]of t(l))yield[h,_.split("_").map(o).join("")]}export{k as a};

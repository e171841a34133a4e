/* Licences of what is inside: /assets/licences-66a2606e70ee9e48.txt */
import{a as y}from"/assets/worker-YO6NTTD7.js";import{c as g,p as w,q as d,r as i,s as h,t as m,u as f,y as c}from"/assets/worker-P2N7WLD4.js";var k=`
x 2m 1t n 1 v 1 1m 2 b 2 8 1 1h 1 1w 9 10 3 58 9 9 4 c q 1 1 1 h 1s 2 1 2 a 1 10 2 2 3 3 1 1 6 1 1 3 1 1 1 k
1 19 7 p 3 1 3 2 1 3s 1 5 2 4m 1 12 2 1 6 13 1 1 8 19 1 1 1 2 1 2 1 1 8 r 4 4 t b 5 w 1 v e 7 4 2j 1 8 2 a 1
6 a 6 g 1n 2 2t e 1i 7 1 2 1a i s 4 b 5 o 1 6 9 22 1 39 8 4 2 a 1 j 1 8 2 2 2 m 1 7 1 1 3 4 2 9 2 2 2 4 8 1
8 4 2 c a 1 1 1 2 3 1 6 4 2 2 m 1 7 1 1 2 1 2 2 2 1 1 5 4 2 2 3 3 1 a 1 9 g b 3 1 9 1 3 1 m 1 7 1 2 1 5 2 a
1 3 1 3 2 1 f 4 2 a 9 7 1 3 1 8 2 2 2 m 1 7 1 2 1 5 2 9 2 2 2 3 7 3 7 5 2 a 1 1 g 2 1 6 3 3 1 4 3 2 1 1 1 2
3 2 3 3 3 c 4 5 3 3 1 4 2 1 6 1 e a g d 1 3 1 n 1 g 2 9 1 3 1 4 7 2 1 3 2 1 2 4 2 a g 4 1 8 1 3 1 n 1 a 1 5
2 9 1 3 1 4 7 2 6 2 1 4 2 a 1 2 d d 1 3 1 1f 1 3 1 5 5 4 7 5 2 a a 6 1 3 1 i 3 o 1 9 1 1 2 7 3 1 4 6 1 1 1 8
6 a 2 2 d 1e 1 7 5 f 1 a 13 2 1 1 1 5 1 o 1 1 1 c 1 a 2 5 1 1 1 6 2 a 4 2 w 1 a 1 c 2 6 a b 1 1 1 1 1 4 5 1
4 1 4 1 4 1 4 1 4 1 c 1 3 4 2 1 1 5 7 1 3 1 d 1 4 1 4 1 4 1 4 1 4 1 c 1 3 9 1 1l 22 6 26 2 12 1 1 5 1 2 17 2
3 74 21 1 4 2 7 1 1 1 4 2 15 1 4 2 x 1 4 2 7 1 1 1 4 2 f 1 1l 1 4 2 1v 2 3 w g g 2e 2 6 3 h8 2 h 1 q 5 23 6
8 7 m 9 m b k c d 1 3 1 2 c 1g 2 u 3 1 4 2 2 a 12 a 6 2h 7 17 5 1y a v 1 c 4 c a 14 2 5 b 18 4 q 6 a 12 s 4
1r 1 t 2 b 6 a d 1 8 e 1 g 1d 25 3 a h 9 c 38 c 1k 8 a 3 1d 2 9 7 17 2 3 g 3 1 13 5 18 3 1 b 1 i 1 s d 1 y
11 62 2 3e 2 6 2 12 2 6 2 8 1 1 1 1 1 1 1 i 1 1 1 1 1 1 1 1 1 1 1 1 3 8 8 8 8 8 8 5 1 5 7 3 1 3 1 1 5 3 3 5
5 3 1 7 1 1 5 3 1 3 1 1 5x d 4 1 3 c 1t 1 r 1 1g 2 22j 3g 2 2v 6 9 c 12 1 1 5 1 2 1k n o 9 7 1 7 1 7 1 7 1 7
1 7 1 7 1 7 1 w 1b 1 d1 3 y 4 e 1 4 2e 2 2 2 2 2 2i 1 3 6 17 34 w 1c g e8 534 1s h3h 1v 1a 2 7h 3 s k 1c 4 a
1 t 2 20 a 2 11 9 2 26 1 o 2 1s 5 2 1 1 1 5 r 3 2 1a 4 1 j 1g c 1y a a 6 o 3 1 1 1d 2 10 18 1t e b 6 v 1 1j
9 e 2 a 6 n 3 21 o 3 2 g 2 5 a 6 2 6 2 6 9 7 1 7 1 17 5 9 7 3f 1 2 2 a 6 8mc 6sq 2 1 1 1 2 a 1 1 1 1 2 2 3
6s 1 ld g 1v 1 b0 c 1 q 1 j 1 2 1 f 2 e y 3f 76 1 3m t 3 1d f 1 v w d k 1 8 6 17 5 u 2 10 4 8 1c 4e 2 a 6 10
4 10 4 14 8 1g c b 1 f 1 7 1 2 1 b 1 f 1 7 1 2 1v 8n 9 m a 8 o 1 3j 6 2 1 1 18 1 2 3 1 2 n a n 9 v 1t j 1 2
a m a q 1y 1k 6 2 1s 4 1 2 5 8 1 3 1 t 2 3 4 1 w t 3 t z 8 1 u p 1i a m a j d i 32 21 1j 1f d 1f d 14 8 a 92
16 1 2 3 2 26 t a 1 8 x v m 16 l r n 9 1z v g 9 1o 7 1 d p 7 a 6 1h 1 a 4 4 8 10 2 1 9 1x 4 4 1 d 1 1 z i 1
11 6 1 1t 7 1 1 1 4 1 f 1 a 7 1n 5 a 6 4 1 8 2 2 2 m 1 7 1 2 1 5 1 a 2 2 2 3 2 1 6 1 5 7 2 7 3 5 3v 23 5 a 4
4 u 1y 1 1 8 a 4m 1i 2 9 n 6 y 1t 3 1 b a 12 1l 7 a 1i r 2 f 4 a 6 7 55 1n 2t 22 l 8 2 1 2 8 1 2 1 u 1 2 2 9
c a 1y 8 2 1a 2 8 1 2 r 1r 8 1 8 22 3 1 i 21 7b 9 1 19 1 9 f a o u 2 m 1 e 21 7 1 2 1 18 3 1 1 2 1 9 8 a 6 6
1 2 1 11 1 2 1 6 7 a 8m n 55 1 27 pm 6e 5g 218 2p f tr 34h g7 6nt ft 7 v 1 a 6 27 1 a 6 u 2 5 b 1j 9 4 c a 9
l 5 j j4 1s 3k 23 4 1l 7 h 1s 2 1 2 b 2 e 4qg 8 ye 16 9 6w7 4 1 7 1 2 1 83 19 3 h 4 8 b0 1s4 2z 5 d 3 9 7 a
3 2 3mp 1a 2 n f2 5 3 6 8 8 2 7 u 4 44 3 1iz 1j 4 1e 8 1 e 1 m 5 1 f uo v 69 7 1 h 2 7 1 2 1 5 5x 19 3 e 2 a
4 1 8x v h 1m yu 7 1 4 1 2 1 f 1 5h b 7 15 24 4 a 4h2 wyo w 37d 7 66 2 4g2 e 5rl 3z3 3t7`,v="ON,ET,ES,CS,EN,L,NSM,R,AL,AN,BN",b=`
x:0 2:1 3:0 5:2 1:3 1:2 1:3 2:4 a:3 1:0 6:5 q:0 6:5 q:0 1x:5 e1:0 2:5 b:0 a:5 s:0 2:5 i:6 34:5 5:0 1:5 7h:6
7:5 7b:6 1r:7 1s:6 g:8 17:6 l:9 e:8 2:6 1:8 2t:6 f:8 2:6 7:8 2:4 a:8 n:6 1:8 u:6 t:8 2h:6 b:8 f:7 17:6 9:7
9:6 3:7 m:6 4:7 1:6 9:7 1:6 3:7 1:6 n:7 p:6 7:8 1k:6 8:8 16:6 1l:5 1j:6 1:5 1:6 1:5 4:6 8:5 4:6 1:5 3:6 f:5
2:6 4:5 r:6 1:5 1m:6 1:5 4:6 6:5 6:6 1:5 k:6 4:5 o:6 5:5 1l:6 2:5 3:6 r:5 k:6 2:5 3:6 e:5 1l:6 1:5 4:6 8:5
4:6 3:5 i:6 4:5 k:6 8:5 1m:6 1:5 2:6 1:5 1:6 6:5 6:6 a:5 b:6 4:5 s:6 1:5 1p:6 1:5 c:6 3:5 1c:6 1:5 3:6 1:5
1j:6 1:5 1:6 3:5 5:6 i:5 a:6 4:5 r:6 1:5 1m:6 1:5 f:6 9:5 d:6 4:5 q:6 2:5 1l:6 2:5 4:6 5:5 7:6 1:5 k:6 4:5
r:6 1:5 20:6 5:5 3:6 6:5 2h:6 1:5 2:6 c:5 7:6 9:5 2p:6 1:5 2:6 9:5 b:6 8:5 20:6 8:5 l:6 9:5 1f:6 e:5 1:6 8:5
5:6 37:5 19:6 4:5 1:6 6:5 1:6 2:5 2:6 2:5 p:6 2:5 4:6 3:5 g:6 4:5 d:6 1:5 2:6 2:5 6:6 1:5 f:6 3:5 jh:6 z:5
pe:6 3:5 t:6 2:5 u:6 e:5 i:6 e:5 1j:6 7:5 8:6 1:5 2:6 e:5 6:6 3:5 4l:6 2:5 y:6 1:5 3a:6 3:5 4:6 2:5 9:6 1:5
6:6 d:5 5t:6 2:5 2:6 5:5 1i:6 1:5 1:6 9:5 1:6 1:5 2:6 8:5 6:6 d:5 1c:6 2c:5 1c:6 1:5 1:6 5:5 1:6 1:5 5:6 1:5
14:6 n:5 w:6 4:5 2:6 2:5 1:6 3:5 1k:6 1:5 1:6 2:5 3:6 1:5 1:6 3:5 1m:6 8:5 2:6 a:5 40:6 h:5 1:6 7:5 4:6 1:5
6:6 1:5 3:6 2:5 5i:6 1s:5 ek:a 5g:6 2q:5 2bh:6 3:5 3x:6 1:5 2o:6 27:0 d2:5 11:6 i:5 2l:6 4:5 2m:0 1:5 n77:6
g:0 1:5 u:6 2:5 28:6 13:0 b:5 2u:0 3:5 3b:6 1:5 3:6 1:5 4:6 1:5 p:6 2:5 5:6 k:5 3o:6 c:5 g:6 i:5 d:6 1:5
12:6 a:5 n:6 b:5 1a:6 3:5 1c:6 1:5 2:6 4:5 2:6 2:5 13:6 1:5 1v:6 6:5 2:6 2:5 2:6 b:5 3:6 1:5 8:6 1:5 1b:6
1:5 1f:6 1:5 1:6 3:5 2:6 2:5 5:6 2:5 1:6 1:5 16:6 2:5 8:6 b:5 6c:6 1:5 2:6 1:5 4:6 3:5 fn2:6 np:8 b1:5 e5:6
3n:5 2o:6 w:5 3a:6 a:5 w0:7 e9:6 f:7 14:6 14:7 3p:6 r:7 e8:8 10:6 c:9 9c:7 17:6 5:7 3k:8 m:6 16:7 i:6 1a:7
28:5 1:6 1:5 1i:6 1a:5 a:6 1:5 2:6 2:5 a:6 3:5 1d:6 4:5 2:6 n:5 1c:6 3:5 10:6 5:5 1:6 9:5 1p:6 3:5 a:6 2:5
1g:6 9:5 a:6 5:5 1:6 1:5 2n:6 3:5 2:6 1:5 1:6 22:5 2n:6 1:5 3:6 d:5 g:6 2:5 1l:6 2:5 3:6 1:5 11:6 4a:5 1k:6
8:5 2:6 3:5 1:6 1:5 n:6 1:5 2c:6 6:5 1:6 1:5 4:6 2:5 1:6 2:5 6m:6 6:5 4:6 2:5 1:6 p:5 4:6 10:5 1f:6 8:5 2:6
1:5 1:6 5:5 2v:6 1:5 1:6 1:5 2:6 6:5 1:6 1:5 2t:6 3:5 2:6 4:5 1:6 9:5 73:6 9:5 1:6 2v:5 4b:6 2:5 1:6 1:5 4:6
d:5 3o:6 8:5 4:6 1:5 w:6 6:5 2:6 2:5 14:6 6:5 2:6 l:5 1:6 6:5 2:6 3:5 1a:6 d:5 1:6 5:5 b7:6 e:5 2c:6 n:5 1:6
7:5 1:6 2:5 1:6 23:5 1d:6 l:5 1:6 9:5 1s:6 3:5 2:6 1:5 1:6 1:5 9n:6 2:5 f0b:6 g:5 1c:6 g:5 sv:6 1:5 1r:6 4:5
29:6 c:5 f59:6 43s:5 2:6 6:5 e:6 2o5:5 74:6 74:5 1c:6 7:5 af:6 i:5 18:6 4:5 100:7 5s:6 1c:7 1w:6 7:7 4hh:5`,x=`
,Latn,Grek,Copt,Cyrl,Cyrl Perm,Cyrl Glag,Cyrl Latn,Armn,Hebr,Arab,Arab Syrc,Arab Thaa
Yezi,Syrc,Thaa,Nkoo,Samr,Mand,Deva,Beng Deva Gran Gujr Guru Knda Latn Mlym Orya Shrd Taml Telu Tirh,Beng
Deva Gran Gujr Guru Knda Latn Mlym Orya Taml Telu Tirh,Deva Dogr Kthi Mahj,Beng,Beng Cakm Sylo,Guru,Guru
Mult,Gujr,Gujr Khoj,Orya,Taml,Gran Taml,Telu,Knda,Knda Nand,Mlym,Sinh,Thai,Laoo,Tibt,Mymr,Cakm Mymr
Tale,Geor,Ethi,Cher,Cans,Ogam,Runr,Tglg,Hano,Buhd,Tagb,Khmr,Mong,Limb,Tale,Talu,Bugi,Lana,Bali,Sund,Batk,Lepc,Olck,Beng
Deva Gran Knda,Beng Deva,Deva Shrd,Deva Knda Mlym Orya Taml Telu,Deva Nand,Beng Deva Gran Knda Nand Orya
Telu Tirh,Deva Gran,Deva Gran Knda,Nand,Cyrl Syrc,Deva Gran Latn,Glag,Tfng,Hanb Hani Jpan Kore,Bopo Hanb
Hani Jpan Kore,Hanb Hani Hira Jpan Kana Kore,Hira Jpan,Hira Jpan Kana,Jpan Kana,Bopo Hanb Hang Hani Hira
Jpan Kana Kore Yiii,Bopo Hanb,Yiii,Lisu,Vaii,Bamu,Sylo,Phag,Saur,Deva Taml,Kali,Rjng,Java,Bugi
Java,Cham,Tavt,Mtei,Hang Kore,Linb,Lyci,Cari,Arab
Copt,Ital,Goth,Perm,Ugar,Xpeo,Dsrt,Shaw,Osma,Osge,Elba,Aghb,Vith,Lina,Cprt,Armi,Palm,Nbat,Hatr,Phnx,Lydi,Mero,Merc,Khar,Sarb,Narb,Mani,Avst,Prti,Phli,Phlp,Orkh,Hung,Rohg,Yezi,Sogo,Sogd,Ougr,Chrs,Elym,Brah,Kthi,Sora,Cakm,Mahj,Shrd,Khoj,Mult,Sind,Gran,Newa,Tirh,Sidd,Modi,Takr,Ahom,Dogr,Wara,Diak,Zanb,Soyo,Pauc,Bhks,Marc,Gonm,Gong,Maka,Xsux,Cpmn,Egyp,Hluw,Mroo,Tnsa,Bass,Hmng,Medf,Plrd,Tang,Nshu,Kits,Dupl,Sgnw,Hmnp,Toto,Wcho,Mend,Adlm`,j=`
x:0 w:1 q:0 6:1 q:0 1x:1 e1:0 3t:2 4:0 t:1 d:2 36:3 h:2 d:4 3n:5 1:6 1:7 2:6 3:4 4n:8 2o:9 3j:a 1n:b b:a a:c
e:a 2:b 1:a 4f:d 1s:a 1c:e 1s:f 1s:g 1s:h w:d g:a 40:i 29:j 1:k 1:0 2:i h:l b:i f:m 2u:n a:m h:o 2t:p a:o
h:q 2t:r j:q 8:s 3l:t 2s:u q:v 3k:w 2u:x b:w f:y 3l:z 3k:10 3k:11 3j:12 74:13 1s:14 g:13 28:15 9s:16 bk:17
2p:18 hs:19 v:1a 2o:1b w:1c w:1d w:1e w:1f 40:1g 4g:18 28:1h 28:1i 1c:1j 3k:1k w:1l 40:0 28:1m 3k:1n 1s:1o
1s:1p 28:1q 1c:4 g:15 1s:1r 1:i 1:1r 2:i 1:1s 2:1t 1:1s 1:1t 1:1u 1:i 1:1t 2:i 2:1t 1:1s 1:i 7:1v 1:1s 1:i
2:1s 1:i 4:1w 1:1x 1:1y 1:1s 2:m 1:1x 2:1z 6:1 12:2 5:4 4:1 41:2 2:0 1i:20 1:0 1:d 1:0 5:1 74:2 7g:0 6c:21
1u:1 24u:22 2o:1 w:3 3k:15 1c:23 28:16 2o:4 27:0 d2:24 11:25 i:26 5:27 2g:28 4:27 4:29 2i:2a 1:28 1:29 8:2b
6j:29 eo:24 lc0:2c y8:2d 1c:2e 8w:4 1b:6 5:4 18:2f 3b:0 b:1 2u:0 3:1 39:2g 1s:2h 1s:2i 2o:i h:1s 1:i 1:2j
1:i c:2k 1c:2l 28:2m 27:2n 1:2m g:13 w:2o 2o:13 w:2p 2o:2q x:16 1b:1 1h:2 1:1 a:17 28:2q 1s:2r ff2:24 7k:9
le:0 e:4 1x:a b1:2s e5:0 3n:2t w:2u 1s:2v w:2w 1c:2x w:2y 1c:2z w:30 2o:31 28:32 1c:33 1c:34 28:35 1c:36
1s:37 40:38 ao:1 3k:39 1s:3a w:3b w:3c 2o:3d w:3e w:3f 2o:3g w:3h 2o:3i 2o:3j w:3k 1s:3l 1s:3m 1s:3n w:3o
w:3p 3k:3q 3k:3r 3k:3s ao:3t 3k:3u 1c:3v 1s:3w 1s:3x 1c:3y w:3z 3k:40 28:41 1c:42 28:43 1c:44 3k:45 3k:46
1c:47 28:48 1:u 1:48 1:u 2:48 1i:u 2:48 5f:49 3k:4a 74:4b 3k:4c 3k:4d 3k:4e 74:4f 4g:4g 2o:4h 4g:1z 2o:4i
28:4j 2o:18 g:4k 8w:4l 36:4m 3y:4n 2o:4o ao:4p 5s:2d 28:4q 32o:4r 34:4s 3y8:4t 740:2f g0:4u 1c:4v 2o:4w
1c:4x n4:4y 5c:4z 68:50 1:51 2:24 1:52 c:24 g:50 5c0:52 e8:50 6wg:29 h:27 7z:29 1c:27 k:29 c:51 234:53 3r4:0
n6:2 1j2:54 zk:1 74:22 74:55 b4:56 1c:57 10g:16 w:58 74:59 4jk:24`,S=`
1c 1j4 1uu 1ye 21y 25i 292 2cm 2g6 2jq 2na 2qu 2ts 2xc 2zk 37k 39s 4ps 4r4 4zq 53k 58g 58w 5e8 5gw 5kw 5lc
wtc xcg xds xjk xkg xn4 xyo 1fhc 1h68 1ht2 1hww 1hyu 1i34 1ib4 1ikw 1iog 1iz4 1j28 1j5c 1jhc 1jkg 1k5s 1kcw
1kf4 1zkw 1znk 1zrk 2n28 2ne8 2onk`,z=`
abuse account accounts admin administration administrator administrators admins all anonymous anyone api app
apps assets audit auth autoconfig autodiscover broadcasthost channel channels config console control daemon
dashboard default deleted device devices dns email enrol enroll everybody everyone false ftp group groups
guest guild health healthz help helpdesk here hostmaster imap info internal invite invites isatap jwks key
keys localdomain localhost login logout mail mailer-daemon me metrics mod moderator moderators nan news nil
no-reply nobody noc none noreply ns1 ns2 null oauth oauth2 official oidc operator operators owner password
pop3 postmaster private profile public recovery register registrar registrars registration registry root
security self server service services session sessions settings signin signout signup smtp somebody staff
static status sudo superuser support sysadmin sysop system team ticket tickets token tokens true undefined
unknown usenet user username users void watchword webmaster well-known wpad www you`,N=`
abuse account accounts adrnin adrninistration adrninistrator adrninistrators adrnins adrnln adrnlnlstratlon
adrnlnlstrator adrnlnlstrators adrnlns all anonyrnous anyone api apl app apps assets audit audlt auth
autoconfig autoconflg autodiscover autodlscover broadcasthost channel channels config conflg console control
daernon dashboard default deleted device devices devlce devlces dns enrol enroll ernail ernall everybody
everyone false ftp group groups guest guild gulld health healthz help helpdesk here hostrnaster info
internal invite invites irnap isatap jwks key keys lnfo lnternal lnvlte lnvltes localdornain localdornaln
localhost login logln logout lrnap lsatap nan news nil nll no-reply nobody noc none noreply ns2 nsl null
oauth oauth2 official offlclal oidc oldc operator operators owner password pop3 postrnaster private prlvate
profile proflle public publlc recovery register registrar registrars registration registry reglster
reglstrar reglstrars reglstratlon reglstry rnail rnailer-daernon rnall rnaller-daernon rne rnetrics rnetrlcs
rnod rnoderator rnoderators root security securlty self server service services servlce servlces session
sessions sesslon sesslons settings settlngs signin signout signup slgnln slgnout slgnup sornebody srntp
staff static statlc status sudo superuser support sysadrnin sysadrnln sysop systern tearn ticket tickets
tlcket tlckets token tokens true undefined undeflned unknown usenet user usernarne users void vold watchword
webrnaster well-known wpad www you`,E=`
1c=o 1d=l 1t=a 1u=b 1v=c 1w=d 1x=e 1y=f 1z=g 20=h 21=l 22=j 23=k 24=l 25=rn 26=n 27=o 28=p 2a=r 2b=s 2c=t
2d=u 2e=v 2f=w 2h=y 2i=z 31=rn 3g=l 5i=ae 67=ss 6e=ae 7e=ċ 7f=ċ 7q=ė 7r=ė 80=ġ 81=ġ 8g=l̇ 8h=i 9e=oe
9f=oe aj=ż ak=ż as=b b1=g b8=y ba=l bg=w bq=r br=2 c2=u c7=3 cd=s cg=l ch=ll f0=3 fa=ȧ fb=ȧ fi=ȯ fj=ȯ
gh=a gx=g gz=y h5=i h6=i hb=w i3=u i7=y ir=dz iu=ts iy=ls iz=lz ns=̇ ov=j pd=a pe=b pf=y ph=e pi=z pj=h pl=l
pm=k po=rn pp=n pr=o pt=p pw=t px=y q9=a qa=ss qb=y qh=i ql=v qn=o qp=p qq=o qr=o qt=u re=o rf=o rg=f rs=2
s3=j sa=rn sl=s sm=l so=j sw=a sy=b sz=y t1=e t3=3 t6=k t8=rn t9=h ta=o tc=p td=c te=t tf=y tn=bl to=b tq=lo
ts=a tv=r tx=e u6=o u8=p u9=c ub=y ut=s uu=i uw=j v4=w v5=w vo=v vp=v xa=y xb=y xm=h xn=h xo=e xp=e xs=l
y7=i yc=ae yd=ae yo=3 zk=d zl=d zw=g 10c=w 10d=w 10x=w 11c=h 11k=n 11p=u 11r=s 11t=g 11w=f 11x=o 129=w 12o=h
12w=n 130=n 131=u 135=g 138=f 139=o 14p=̇ 14q=̇ 14x=̇ 14y=̇ 150=̇ 15h=l 15k=v 15r=l 15t=o 168=ll 17r=l 18n=o
19d=l 19h=o 19j=v 1by=o 1c1=o 1cl=o 1d8=̇ 1dd=l 1dh=o 1dj=v 1fk=̇ 1fl=̇ 1j4=o 1je=l 1kd=̇ 1re=̇ 1s2=̇ 1uu=o
1ye=o 1z6=̇ 21y=o 22q=̇ 25i=o 274=o 292=o 2bx=̇ 2cm=o 2de=o 2g6=o 2gy=o 2jq=o 2ki=o 2lc=o 2na=o 2o2=o 2ts=o
2xc=o 36l=o 37k=o 3c7=y 3cv=o 3k0=u 3mo=n 3ps=o 3vk=d 3vl=r 3vm=t 3vp=i 3vt=y 3vu=a 3vv=j 3vw=e 3w1=y 3w3=w
3w7=rn 3wb=h 3wd=y 3wg=g 3wi=h 3wj=z 3wn=w 3wv=b 3wy=r 3x0=w 3x1=s 3x5=v 3x6=s 3xa=l 3xb=c 3xe=p 3xi=k 3xj=d
3xs=ss 3xv=g 3xw=b 3y0=ss 3zj=v 40c=u 40e=n 419=p 41b=d 41e=b 41f=ḃ 425=j 42t=y 42y=l 43j=2 48s=h 493=r
4a7=b 4ac=f 4at=a 4bi=d 4bu=d 4bz=w 4c0=rn 4c7=b 4ht=l 4id=k 4ie=rn 5mq=o 5mr=c 5nr=y 5of=o 5qc=c 5qn=o
5qp=o 5r0=u 5r4=v 5r5=w 5r6=z 5ra=r 5t7=ue 5tv=g 5u4=y 5xe=ḃ 5xf=ḃ 5xm=ḋ 5xn=ḋ 5y6=ḟ 5y7=ḟ 5ya=ḣ
5yb=ḣ 5z4=rṅ 5z5=rṅ 5z8=ṅ 5z9=ṅ 5zq=ṗ 5zr=ṗ 5zs=ṙ 5zt=ṙ 600=ṡ 601=ṡ 60a=ṫ 60b=ṫ 612=ẇ 613=ẇ
61a=ẏ 61b=ẏ 61p=f 61q=ss 64e=y 64f=y 8rx=a 8sk=y 8sl=r 8su=h 8sy=l 8t0=k 8t4=rn 8t6=n 8ta=o 8tb=o 8te=p
8tf=p 8tg=c 8th=c 8ti=t 8tk=y 8u2=- 8uk=3 8uo=l 8xk=v 8xl=e 8y7=l 8yc=o 9hj=o wk0=b wk1=p wk2=d wk3=d wk4=t
wk6=g wk7=k wk9=j wka=c wkc=z wkd=f wkf=rn wkg=n wkh=l wki=s wkj=r wkm=v wkn=h wkq=w wks=y wku=a wkw=e wky=l
wkz=o wl0=u wl1=n wuc=2 wue=i wuf=i wwo=oo wwp=oo wyn=v x0o=t3 x0x=s x0y=aa x0z=aa x10=ao x11=ao x12=au
x13=au x14=av x15=av x16=av x17=av x18=ay x19=ay x1q=oo x1r=oo x22=2 x2i=3 x2v=tf x3s=f x3t=f x3z=u x4b=3
x4c=g x4e=i x4i=j x4k=b x4l=ss xte=e xth=f xtp=o xtz=r xu0=r xu6=u xua=u xui=y xur=uo xv9=i xvd=y xvl=r
xvn=w xvx=y xw2=h xw3=z xw7=w xwk=w xwl=s xwp=v xwq=s xwv=c xx3=d 1f2a=b 1f2e=e 1f2f=f 1f2i=l 1f2q=o 1f2t=p
1f2u=s 1f2v=t 1f34=a 1f35=b 1f36=c 1f39=f 1f3f=o 1f3k=rn 1f3l=t 1f3m=y 1f4f=h 1f5t=b 1f5u=c 1f61=l 1f69=rn
1f6d=t 1fd0=o 1fdh=c 1fdn=l 1fds=s 1fe4=o 1fel=c 1few=s 1fhw=r 1fia=o 1fim=u 1fje=o 1fjq=u 1fkj=n 1fkm=o
1fko=k 1fks=c 1fkt=v 1fl1=f 1fl2=l 1io5=ẇ 1iog=o 1j40=rn 1j46=v 1j4a=w 1j4e=w 1j4f=w 1jfk=v 1jfl=s 1jfm=f
1jfn=l 1jfo=y 1jfq=e 1jft=z 1jfu=3 1jfy=e 1jg2=l 1jg5=o 1jg8=u 1jgc=t 1jgg=v 1jgh=s 1jgi=f 1jgj=i 1jgk=z
1jgo=o 1jgq=3 1jh3=o 1jh4=u 1jh8=y 1jhc=o 1jhf=rn 1jhh=z 1jhi=w 1jhl=c 20hz=y 20i0=v 20i2=t 20ie=l 20iw=l
20j9=r 20je=s 20jf=3 20jk=a 20jm=u 20jn=y`;var C=new d(v,b),D=["R","AL","AN"],T=["EN","ES","CS","ET","ON","BN","NSM"];function L(o){let e=[...o].map(t=>C.of(t));if(!e.some(t=>D.includes(t)))return!0;let[a=""]=e,s=e.findLastIndex(t=>t!=="NSM"),r=e[s]??"",l=e.slice(1,Math.max(s,0));if(a==="L")return["L","EN"].includes(r)&&_(l,["L",...T]);if(a!=="R"&&a!=="AL")return!1;let A=!["EN","AN"].every(t=>[...l,r].includes(t)),M=_(l,["R","AL","AN",...T]);return A&&M&&["R","AL","EN","AN"].includes(r)}function _(o,e){return o.every(a=>e.includes(a))}var I=h(E),K=new Set(i(N)),O=/(?<=[ij])\u0307/g;function p(o){let e=Array.from(o.normalize("NFD"),a=>I.get(a)??a).join("");return K.has(e.replace(O,""))}var u=class extends Error{constructor(a){super(a);this.reason=a}reason;name="NameRefused"},B=2,q=64,G=256,H=4,P=8,F=/[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/,U=/[\x00-\x7f](?<![A-Za-z0-9._-])/,J=new RegExp("\\p{Cf}","u"),V=new RegExp("^\\p{M}","u"),W=/^[\p{L}\p{Nd}]/u,X=/^[\p{L}\p{Nd}\p{M}]/u,Y=new RegExp("\\p{L}","u"),Z=/^(?:(?:acc|dev|ses|req|inv)_.*|[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12})$/s,$=new RegExp(`\\p{Mn}{${H+1}}`,"u"),Q=/[\p{Lowercase}\p{Lt}]/u,o1=new RegExp("\\p{Uppercase}","u"),R=new w(k),e1=new d(x,j),a1=i(S).map(o=>m(o).codePointAt(0)??0),n1=new Set(i(z));function _1(o){return r1(()=>s1(o))}function r1(o){try{return o(),null}catch(e){if(e instanceof u)return e.reason;throw e}}function s1(o){let e=t1(o);c(e)<B&&n("too_short"),c(e)>q&&n("too_long"),i1(e);let a=c1(e);if(a===null)return n(f([...e],R)?"direction":"character");c(a)>q&&n("too_long"),u1(a);let s=d1(a),r=o1.test(e)&&!Q.test(e)?s:e;(n1.has(s)||p(s)||p(r))&&n("reserved")}function t1(o){return g(o)||n("not_text"),c(o)>G&&n("too_long"),o.normalize("NFC")}function i1(o){o.includes("@")&&n("email_shaped"),F.test(o)&&n("space"),U.test(o)&&n("character"),o.normalize("NFKC")!==o&&n("compatibility"),l1(o)&&n("character")}function l1(o){return J.test(o)}function c1(o){let e=o.toLowerCase().normalize("NFC");return e.toLowerCase().normalize("NFC")===e&&L(e)&&f([...e],R)?e:null}function d1(o){let e=o;for(let a=0;a<P;a++)e=y(e).normalize("NFC");return e}function u1(o){let e=[...o].at(-1)??"";(!W.test(o)||!X.test(e))&&n(V.test(o)?"marks":"edge"),o.includes("..")&&n("dots"),Y.test(o)||n("no_letter"),Z.test(o)&&n("id_shaped"),$.test(o.normalize("NFD"))&&n("marks"),f1(o)||n("mixed_scripts"),new Set(p1(o)).size>1&&n("mixed_digits")}function f1(o){let e=[...o].map(r=>i(e1.of(r))).filter(r=>r.length>0),[a=[],...s]=e;return e.length===0||a.some(r=>s.every(l=>l.includes(r)))}function p1(o){return(o.match(new RegExp("\\p{Nd}","gu"))??[]).map(a=>a1.findLast(s=>s<=(a.codePointAt(0)??0)))}function n(o){throw new u(o)}export{u as a,_1 as b,r1 as c,t1 as d,l1 as e,c1 as f,f1 as g,n as h};

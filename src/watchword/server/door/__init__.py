"""The one door: who may come in, and what becomes of those who may not.

`gate.TheGate` is what the HTTP edge asks about every request (`http/gate`). It puts together who is banned
(`server/bans`), how much each caller may ask (`server/limits`), and who passes all the same. Invariants: every request
takes the same way, known path or not; nothing of a body is read before; one answer, whatever refuses; success takes
back no offence.
"""

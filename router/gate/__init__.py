"""The gate: whether an understudy may answer in the LLM's place. Pure statistics: counts in, verdicts out.

    pairs (LLM's answer, understudy's answer)
      └── scorers/          agree or not, by kind of answer
            ├── selective       below which confidence the understudy hands the call on    (held-out calls)
            ├── clopper_pearson is it good enough, exactly, once                           (held-out calls)
            ├── ceiling         the LLM's agreement with itself, where it is below the target
            ├── certification   is it good enough, looked at after every pair              (shadow, audit)
            └── fall            has it got worse, looked at for life                       (audit, health)
    states.advance puts them together: observe → shadow → canary5 → canary25 → live, from anywhere → demoted.

Everything is a value: each statistic is a small frozen object with `after(pair)`, `to_dict` and `from_dict`, so that a
restart goes on where it stopped. Only the standard library is needed.
"""

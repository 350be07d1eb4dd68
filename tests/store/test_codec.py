"""The codec: what was sealed is opened, also by many threads at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from store.contents import Codec
from store.keyring import KeyRing, Sealer


def test_many_threads_share_one_codec(ring: KeyRing) -> None:
    codec = Codec(Sealer(ring))

    def there_and_back(number: int) -> bool:
        plain = f"what was said in call {number}, ".encode() * (1 + number % 50)
        return codec.open(codec.seal(plain, b"aad"), b"aad") == plain

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(there_and_back, range(3000)))

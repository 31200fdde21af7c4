"""Asks the CUDA driver which GPUs this process may use; run as a script, it prints a line for each.

As a script, so that who asks is left without a driver that has read its variables, and goes on
where the driver hangs. It imports nothing but Python's own modules.
"""

import ctypes
import itertools
import sys

LIBRARY = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"


def devices() -> list[tuple[str, str, int]]:
    """Return UUID as CUDA_VISIBLE_DEVICES takes it, model and memory (bytes) of each GPU.

    Raises:
        OSError: If there is no driver, or it answers with an error.
    """
    driver = ctypes.CDLL(LIBRARY)
    count, device = ctypes.c_int(), ctypes.c_int()
    _check(driver.cuInit(0))
    _check(driver.cuDeviceGetCount(ctypes.byref(count)))
    found = []
    for number in range(count.value):
        name, uuid = ctypes.create_string_buffer(256), ctypes.create_string_buffer(16)
        memory = ctypes.c_size_t()
        _check(driver.cuDeviceGet(ctypes.byref(device), number))
        _check(driver.cuDeviceGetName(name, len(name), device))
        _check(driver.cuDeviceGetUuid_v2(uuid, device))  # of a slice, its own
        _check(driver.cuDeviceTotalMem_v2(ctypes.byref(memory), device))
        model, digits = name.value.decode(errors="replace"), uuid.raw.hex()
        ends = (0, 8, 12, 16, 20, 32)
        parts = [digits[start:end] for start, end in itertools.pairwise(ends)]
        kind = "MIG" if " MIG " in model else "GPU"
        found.append((f"{kind}-{'-'.join(parts)}", model, memory.value))
    return found


def _check(code: int) -> None:
    if code:
        raise OSError(f"the CUDA driver answers with error {code}")


if __name__ == "__main__":
    for one in devices():
        print(*one, sep="\t")

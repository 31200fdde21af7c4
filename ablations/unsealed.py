"""Plans that were registered before plans carried a digest of their own, and ship as they were.

Their bytes are those of the commit that registered them; to seal them would be to change them.
"""

UNSEALED = frozenset(
    (
        "d1f99a24885322d30614d7234afc8ac1efe96c95d934c4a2eb1cc7b3182735b0",
        "8057c487889b79ebcaa5be07e107fd6224f141c62a5c7f2b76eb6aeed98545af",
        "8d1cacc0332fc396f4bc5e310df4b3a273a030052d417d9082979f03a7fe64ef",
        "4f5f71cb906562013bbea5bc13bdc6ff4fe00179051ce830350d6345c315341c",
        "723a9853096ec9f7bffc86ee7cc4c19ed2142caacd17fca126b0437ce92ac00a",
        "0b2b8ab4092b3ca7d60b720390d38bbb165aad868223ab018f5e2a69cb1cd162",
        "d6e82accdbe12f333f81997fbaca408c89be28ee6cdb3488622fa117b26dc790",
        "8ab7db6d99f74768865e0a5a3e9bd1747b265e6663e265f789a4a90b9cce013b",
        "fb53f0d68d3f207c27e98f0c2bc47f4d21fa1831cac40a97e9aadbbd2a0c1437",
        "974629a987ca233857dc97c944beef02877e22702d784f6a9563a162739ea248",
        "671b931106ab0ae6751c51f7f890457fe5b0fe9d4c698ebd24e4182c98e29f2b",
    )
)
"""SHA-256 of each file."""

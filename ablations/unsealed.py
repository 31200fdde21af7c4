"""Plans that were registered before plans carried a digest of their own, and ship as they were.

Their text is that of the commit that registered them; to seal them would be to change them.
"""

UNSEALED = frozenset(
    (
        "89f8a1a9127be1c81019acb7d3645952be3a8b6c3dda8bbe5488285cdca90276",
        "c851d9afb9f551e0a8183893c8e2f903dcb7d8700540f9e1774a28f6349fac4c",
        "1ba2bab6913259a1071193765bcd18328e8f6c9834fa35bec88800c540e94fa1",
        "1d341e18978a0dbf7926ab88162e8b2ddaa653378be85691828998caefc74c28",
        "47680355e96cd0f9be2a4b8049058ac0581064a3e760f014226a91f91a5648d5",
        "efd194a1cc5892deac2d57716cdeecf9a6b450c2613acb2d822a05a5eb252ea4",
        "9c7791e6b5f5aadf411a41ba8ae42176b04d01d5554fa83a08e83692ab26112d",
        "54390c052de03aa7553e2185e4ac3645764e1b30ecee6868e47b4f5c204cf1e5",
        "811796b1ec61f1834abb3a5d4222608f6c28c72c97ec3e16a2c977f7d6b7bc31",
        "52983c291776afccb3941a3f30ef33a531f2e8dcd2e844ca46b1de8a835ba776",
        "2af86a33748207a2f5b575b046515e64e58697e8f10d90980d351717c3f50ee7",
    )
)
"""The digest of what each says, as `alexnet.sealed.seal_of` computes it."""

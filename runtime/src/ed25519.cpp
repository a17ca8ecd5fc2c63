#include "ed25519.h"

#include <algorithm>
#include <cstring>

namespace csot {
namespace {

// --- SHA-512, FIPS 180-4 ---------------------------------------------------------------------------------------------

constexpr uint64_t kConstants[80] = {
    0x428a2f98d728ae22, 0x7137449123ef65cd, 0xb5c0fbcfec4d3b2f, 0xe9b5dba58189dbbc, 0x3956c25bf348b538,
    0x59f111f1b605d019, 0x923f82a4af194f9b, 0xab1c5ed5da6d8118, 0xd807aa98a3030242, 0x12835b0145706fbe,
    0x243185be4ee4b28c, 0x550c7dc3d5ffb4e2, 0x72be5d74f27b896f, 0x80deb1fe3b1696b1, 0x9bdc06a725c71235,
    0xc19bf174cf692694, 0xe49b69c19ef14ad2, 0xefbe4786384f25e3, 0x0fc19dc68b8cd5b5, 0x240ca1cc77ac9c65,
    0x2de92c6f592b0275, 0x4a7484aa6ea6e483, 0x5cb0a9dcbd41fbd4, 0x76f988da831153b5, 0x983e5152ee66dfab,
    0xa831c66d2db43210, 0xb00327c898fb213f, 0xbf597fc7beef0ee4, 0xc6e00bf33da88fc2, 0xd5a79147930aa725,
    0x06ca6351e003826f, 0x142929670a0e6e70, 0x27b70a8546d22ffc, 0x2e1b21385c26c926, 0x4d2c6dfc5ac42aed,
    0x53380d139d95b3df, 0x650a73548baf63de, 0x766a0abb3c77b2a8, 0x81c2c92e47edaee6, 0x92722c851482353b,
    0xa2bfe8a14cf10364, 0xa81a664bbc423001, 0xc24b8b70d0f89791, 0xc76c51a30654be30, 0xd192e819d6ef5218,
    0xd69906245565a910, 0xf40e35855771202a, 0x106aa07032bbd1b8, 0x19a4c116b8d2d0c8, 0x1e376c085141ab53,
    0x2748774cdf8eeb99, 0x34b0bcb5e19b48a8, 0x391c0cb3c5c95a63, 0x4ed8aa4ae3418acb, 0x5b9cca4f7763e373,
    0x682e6ff3d6b2b8a3, 0x748f82ee5defb2fc, 0x78a5636f43172f60, 0x84c87814a1f0ab72, 0x8cc702081a6439ec,
    0x90befffa23631e28, 0xa4506cebde82bde9, 0xbef9a3f7b2c67915, 0xc67178f2e372532b, 0xca273eceea26619c,
    0xd186b8c721c0c207, 0xeada7dd6cde0eb1e, 0xf57d4f7fee6ed178, 0x06f067aa72176fba, 0x0a637dc5a2c898a6,
    0x113f9804bef90dae, 0x1b710b35131c471b, 0x28db77f523047d84, 0x32caab7b40c72493, 0x3c9ebe0a15c9bebc,
    0x431d67c49c100d4c, 0x4cc5d4becb3e42b6, 0x597f299cfc657e2a, 0x5fcb6fab3ad6faec, 0x6c44198c4a475817};

class Sha512 {
public:
    void update(const void* data, size_t size) {
        const uint8_t* from = static_cast<const uint8_t*>(data);
        bytes_ += size;
        for (size_t i = 0; i < size; ++i) {
            block_[filled_++] = from[i];
            if (filled_ == sizeof block_) compress(), filled_ = 0;
        }
    }

    void finish(uint8_t* digest) {
        const uint64_t bits = bytes_ * 8;
        const uint8_t end = 0x80, zero = 0;
        update(&end, 1);
        while (filled_ != 112) update(&zero, 1);
        uint8_t length[16] = {};
        for (int i = 0; i < 8; ++i) length[8 + i] = static_cast<uint8_t>(bits >> (56 - 8 * i));
        update(length, sizeof length);
        for (int i = 0; i < 64; ++i) digest[i] = static_cast<uint8_t>(state_[i / 8] >> (56 - 8 * (i % 8)));
    }

private:
    static uint64_t rotated(uint64_t value, int by) { return value >> by | value << (64 - by); }

    void compress() {
        uint64_t w[80];
        for (int i = 0; i < 16; ++i) {
            w[i] = 0;
            for (int k = 0; k < 8; ++k) w[i] = w[i] << 8 | block_[8 * i + k];
        }
        for (int i = 16; i < 80; ++i) {
            const uint64_t s0 = rotated(w[i - 15], 1) ^ rotated(w[i - 15], 8) ^ w[i - 15] >> 7;
            const uint64_t s1 = rotated(w[i - 2], 19) ^ rotated(w[i - 2], 61) ^ w[i - 2] >> 6;
            w[i] = w[i - 16] + s0 + w[i - 7] + s1;
        }
        uint64_t a = state_[0], b = state_[1], c = state_[2], d = state_[3];
        uint64_t e = state_[4], f = state_[5], g = state_[6], h = state_[7];
        for (int i = 0; i < 80; ++i) {
            const uint64_t s1 = rotated(e, 14) ^ rotated(e, 18) ^ rotated(e, 41);
            const uint64_t t1 = h + s1 + ((e & f) ^ (~e & g)) + kConstants[i] + w[i];
            const uint64_t s0 = rotated(a, 28) ^ rotated(a, 34) ^ rotated(a, 39);
            const uint64_t t2 = s0 + ((a & b) ^ (a & c) ^ (b & c));
            h = g, g = f, f = e, e = d + t1, d = c, c = b, b = a, a = t1 + t2;
        }
        state_[0] += a, state_[1] += b, state_[2] += c, state_[3] += d;
        state_[4] += e, state_[5] += f, state_[6] += g, state_[7] += h;
    }

    uint64_t state_[8] = {0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
                          0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179};
    uint8_t block_[128];
    size_t filled_ = 0;
    uint64_t bytes_ = 0;
};

// --- numbers modulo p = 2^255 - 19 -----------------------------------------------------------------------------------

__extension__ using Wide = unsigned __int128;
constexpr uint64_t kLimb = (uint64_t{1} << 51) - 1;

// The sum of limbs[i] · 2^(51 i). Between operations a limb has at most 52 bits, and the number may be p or more.
struct Number {
    uint64_t limbs[5];
};

Number carried(Number n) {
    uint64_t carry = 0;
    for (uint64_t& limb : n.limbs) limb += carry, carry = limb >> 51, limb &= kLimb;
    n.limbs[0] += 19 * carry;
    return n;
}

Number operator+(const Number& a, const Number& b) {
    Number sum;
    for (int i = 0; i < 5; ++i) sum.limbs[i] = a.limbs[i] + b.limbs[i];
    return carried(sum);
}

Number operator-(const Number& a, const Number& b) {
    // 4 p is added, so that no limb becomes negative.
    Number difference;
    for (int i = 0; i < 5; ++i) difference.limbs[i] = a.limbs[i] + 4 * (i ? kLimb : kLimb - 18) - b.limbs[i];
    return carried(difference);
}

Number operator*(const Number& a, const Number& b) {
    Wide sums[5] = {};
    for (int i = 0; i < 5; ++i) {
        for (int k = 0; k < 5; ++k) {
            sums[(i + k) % 5] += static_cast<Wide>(a.limbs[i]) * b.limbs[k] * (i + k < 5 ? 1 : 19);
        }
    }
    Number product;
    Wide carry = 0;
    for (int i = 0; i < 5; ++i) {
        sums[i] += carry;
        product.limbs[i] = static_cast<uint64_t>(sums[i]) & kLimb;
        carry = sums[i] >> 51;
    }
    // What is carried out of the top has up to 62 bits: it counts 19 times at the bottom.
    const Wide bottom = product.limbs[0] + carry * 19;
    product.limbs[0] = static_cast<uint64_t>(bottom) & kLimb;
    product.limbs[1] += static_cast<uint64_t>(bottom >> 51);
    return carried(product);
}

Number small(uint64_t value) { return {{value, 0, 0, 0, 0}}; }

// The exponent has so many bits; all are 1 but those of its lowest byte, which is given.
Number power(const Number& n, uint8_t lowest, int bits) {
    Number result = small(1);
    for (int i = bits - 1; i >= 0; --i) {
        result = result * result;
        if (i >= 8 || lowest >> i & 1) result = result * n;
    }
    return result;
}

Number inverse(const Number& n) { return power(n, 0xeb, 255); }  // p - 2 = 2^255 - 21

void write(Number n, uint8_t* bytes) {
    n = carried(carried(n));
    // Once more than p: then 19 more carry out of bit 255.
    uint64_t over = 19;
    for (const uint64_t limb : n.limbs) over = (limb + over) >> 51;
    n.limbs[0] += 19 * over;
    for (int i = 0; i < 4; ++i) n.limbs[i + 1] += n.limbs[i] >> 51, n.limbs[i] &= kLimb;
    n.limbs[4] &= kLimb;
    std::memset(bytes, 0, 32);
    for (int bit = 0; bit < 255; ++bit) {
        bytes[bit / 8] |= static_cast<uint8_t>((n.limbs[bit / 51] >> (bit % 51) & 1) << (bit % 8));
    }
}

Number read(const uint8_t* bytes) {
    Number n{};
    for (int bit = 0; bit < 255; ++bit) {
        n.limbs[bit / 51] |= static_cast<uint64_t>(bytes[bit / 8] >> (bit % 8) & 1) << (bit % 51);
    }
    return n;
}

bool operator==(const Number& a, const Number& b) {
    uint8_t first[32], second[32];
    write(a, first), write(b, second);
    return std::memcmp(first, second, sizeof first) == 0;
}

bool is_odd(const Number& n) {
    uint8_t bytes[32];
    write(n, bytes);
    return bytes[0] & 1;
}

// --- the curve -x² + y² = 1 + d x² y² --------------------------------------------------------------------------------

// x = X / Z, y = Y / Z, x y = T / Z.
struct Point {
    Number x, y, z, t;
};

struct Curve {
    Number d, root_of_minus_one;
    Point base;
};

// RFC 8032, 5.1.4: for any two points, also equal ones.
Point sum(const Curve& curve, const Point& p, const Point& q) {
    const Number a = (p.y - p.x) * (q.y - q.x), b = (p.y + p.x) * (q.y + q.x);
    const Number c = p.t * curve.d * q.t, d = p.z * q.z;
    const Number e = b - a, f = d + d - (c + c), g = d + d + (c + c), h = b + a;
    return {e * f, g * h, f * g, e * h};
}

// RFC 8032, 5.1.3. False if the bytes are no point.
bool read(const Curve& curve, const uint8_t* bytes, Point& point) {
    const Number y = read(bytes);
    uint8_t canonical[32];
    write(y, canonical);
    canonical[31] |= bytes[31] & 0x80;
    if (std::memcmp(canonical, bytes, sizeof canonical) != 0) return false;
    const Number u = y * y - small(1), v = curve.d * y * y + small(1);
    const Number v3 = v * v * v;
    Number x = u * v3 * power(u * v3 * v3 * v, 0xfd, 252);  // to (p - 5) / 8 = 2^252 - 3
    if (v * x * x == small(0) - u) x = x * curve.root_of_minus_one;
    if (!(v * x * x == u)) return false;
    const bool wants_odd = bytes[31] >> 7;
    if (x == small(0) && wants_odd) return false;
    if (is_odd(x) != wants_odd) x = small(0) - x;
    point = {x, y, small(1), x * y};
    return true;
}

Curve make_curve() {
    Curve curve{};
    curve.d = (small(0) - small(121665)) * inverse(small(121666));
    curve.root_of_minus_one = power(small(2), 0xfb, 253);  // to (p - 1) / 4 = 2^253 - 5
    uint8_t base[32];                                      // y = 4 / 5, x even
    write(small(4) * inverse(small(5)), base);
    read(curve, base, curve.base);
    return curve;
}

// --- numbers modulo the order of the base point ----------------------------------------------------------------------

constexpr uint64_t kOrder[4] = {0x5812631a5cf5d3ed, 0x14def9dea2f79cd6, 0, 0x1000000000000000};

bool is_below_order(const uint64_t* scalar) {
    for (int i = 3; i >= 0; --i) {
        if (scalar[i] != kOrder[i]) return scalar[i] < kOrder[i];
    }
    return false;
}

void read_scalar(const uint8_t* bytes, uint64_t* scalar) {
    for (int i = 0; i < 4; ++i) {
        scalar[i] = 0;
        for (int k = 7; k >= 0; --k) scalar[i] = scalar[i] << 8 | bytes[8 * i + k];
    }
}

// A number of 64 bytes, modulo the order: bit by bit, the highest first.
void reduce(const uint8_t* bytes, uint64_t* scalar) {
    std::fill_n(scalar, 4, 0);
    for (int bit = 511; bit >= 0; --bit) {
        uint64_t carry = bytes[bit / 8] >> (bit % 8) & 1;
        for (int i = 0; i < 4; ++i) {
            const uint64_t top = scalar[i] >> 63;
            scalar[i] = scalar[i] << 1 | carry, carry = top;
        }
        if (is_below_order(scalar)) continue;
        uint64_t borrow = 0;
        for (int i = 0; i < 4; ++i) {
            const Wide difference = static_cast<Wide>(scalar[i]) - kOrder[i] - borrow;
            scalar[i] = static_cast<uint64_t>(difference), borrow = difference >> 64 != 0;
        }
    }
}

}  // namespace

bool ed25519_verifies(const uint8_t* key, const uint8_t* signature, const void* message, size_t size) {
    static const Curve curve = make_curve();
    Point public_key;
    uint64_t s[4], k[4];
    read_scalar(signature + 32, s);
    if (!is_below_order(s) || !read(curve, key, public_key)) return false;
    Sha512 hash;
    hash.update(signature, 32), hash.update(key, 32), hash.update(message, size);
    uint8_t digest[64];
    hash.finish(digest);
    reduce(digest, k);
    // R = s B - k A
    const Point negative{small(0) - public_key.x, public_key.y, public_key.z, small(0) - public_key.t};
    Point r{small(0), small(1), small(1), small(0)};
    for (int bit = 252; bit >= 0; --bit) {
        r = sum(curve, r, r);
        if (s[bit / 64] >> (bit % 64) & 1) r = sum(curve, r, curve.base);
        if (k[bit / 64] >> (bit % 64) & 1) r = sum(curve, r, negative);
    }
    const Number inverted = inverse(r.z);
    uint8_t encoded[32];
    write(r.y * inverted, encoded);
    encoded[31] |= static_cast<uint8_t>(is_odd(r.x * inverted) << 7);
    return std::memcmp(encoded, signature, sizeof encoded) == 0;
}

}  // namespace csot

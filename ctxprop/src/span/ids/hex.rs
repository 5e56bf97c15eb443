//! Lower-case hexadecimal digits, `HEXDIGLC` in the specification, eight at a time.
//!
//! Each word holds one digit a byte, the first digit in the highest. No step carries from one byte
//! into the next.

const ONES: u64 = 0x0101_0101_0101_0101;

/// `N` bytes from exactly `2 * N` digits.
#[inline]
pub(crate) fn decode_hex<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    if text.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    let (words, rest) = text.as_chunks::<8>();
    let (quads, rest_out) = bytes.as_chunks_mut::<4>();
    let mut wrong = 0;
    for (word, quad) in words.iter().zip(quads) {
        let (value, not_hex) = decode(u64::from_be_bytes(*word));
        *quad = value.to_be_bytes();
        wrong |= not_hex;
    }
    for (pair, byte) in rest.as_chunks::<2>().0.iter().zip(rest_out) {
        let [high, low] = *pair;
        let word = u64::from_be_bytes([b'0', b'0', b'0', b'0', b'0', b'0', high, low]);
        let (value, not_hex) = decode(word);
        *byte = value.to_be_bytes()[3];
        wrong |= not_hex;
    }
    (wrong == 0).then_some(bytes)
}

/// What eight digits are worth, and zero only if all of them are digits.
#[inline]
fn decode(word: u64) -> (u32, u64) {
    // `a` to `f` are 0x61 to 0x66, `0` to `9` are 0x30 to 0x39: bit 6 tells them apart
    let letter = (word >> 6) & ONES;
    let value = (word & (0x0f * ONES)) + 9 * letter;
    let wrong_high = (word & (0xf0 * ONES)) ^ (0x30 * (ONES + letter));
    let from_ten_on = ((value + 6 * ONES) >> 4) & ONES;
    let not_hex = wrong_high | (value & (0xf0 * ONES)) | (from_ten_on ^ letter);
    let bytes = (value | value >> 4) & 0x00ff_00ff_00ff_00ff;
    let pairs = (bytes | bytes >> 8) & 0x0000_ffff_0000_ffff;
    ((pairs | pairs >> 16) as u32, not_hex)
}

/// Writes two digits a byte; what does not fit in `out` is left out.
#[inline]
pub(crate) fn encode_hex<const N: usize>(bytes: &[u8; N], out: &mut [u8]) {
    let (quads, rest) = bytes.as_chunks::<4>();
    let (words, rest_out) = out.as_chunks_mut::<8>();
    for (quad, word) in quads.iter().zip(words) {
        *word = encode(u32::from_be_bytes(*quad)).to_be_bytes();
    }
    for (byte, pair) in rest.iter().zip(rest_out.as_chunks_mut::<2>().0) {
        let [.., high, low] = encode((*byte).into()).to_be_bytes();
        *pair = [high, low];
    }
}

#[inline]
fn encode(value: u32) -> u64 {
    let pairs = u64::from(value);
    let pairs = (pairs | pairs << 16) & 0x0000_ffff_0000_ffff;
    let bytes = (pairs | pairs << 8) & 0x00ff_00ff_00ff_00ff;
    let digits = (bytes | bytes << 4) & (0x0f * ONES);
    let letter = ((digits + 6 * ONES) >> 4) & ONES;
    digits + 0x30 * ONES + 0x27 * letter
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_byte_in_every_place_is_a_digit_or_not() {
        for place in 0..10 {
            for byte in 0..=255 {
                let mut text = *b"0123456789";
                text[place] = byte;
                let digit = matches!(byte, b'0'..=b'9' | b'a'..=b'f');
                assert_eq!(decode_hex::<5>(&text).is_some(), digit, "{byte:#x} at {place}");
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(bytes: [u8; 7]) {
            let mut text = [b'x'; 14];
            encode_hex(&bytes, &mut text);
            let expected: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            prop_assert_eq!(str::from_utf8(&text).unwrap(), expected);
            prop_assert_eq!(decode_hex(&text), Some(bytes));
            prop_assert_eq!(decode_hex::<7>(&text[1..]), None);
            prop_assert_eq!(decode_hex::<6>(&text), None);
        }
    }
}

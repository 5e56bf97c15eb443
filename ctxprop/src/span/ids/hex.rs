//! Lower-case hexadecimal digits, `HEXDIGLC` in the specification, by tables: two loads a byte.

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// Set in what is no digit, beyond the eight bits of a byte.
const NOT_HEX: u16 = 0x100;

/// What a digit is worth as the first of two, and as the second.
static VALUES: ([u16; 256], [u16; 256]) = {
    let (mut first, mut second) = ([NOT_HEX; 256], [NOT_HEX; 256]);
    let mut value = 0;
    while value < 16 {
        first[DIGITS[value as usize] as usize] = value << 4;
        second[DIGITS[value as usize] as usize] = value;
        value += 1;
    }
    (first, second)
};

/// The two digits of each byte.
static PAIRS: [[u8; 2]; 256] = {
    let mut pairs = [[0; 2]; 256];
    let mut byte = 0;
    while byte < 256 {
        pairs[byte] = [DIGITS[byte >> 4], DIGITS[byte & 0x0f]];
        byte += 1;
    }
    pairs
};

/// `N` bytes from exactly `2 * N` digits.
#[inline]
pub(crate) fn decode_hex<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let (pairs, rest) = text.as_chunks::<2>();
    let pairs: &[_; N] = pairs.try_into().ok().filter(|_| rest.is_empty())?;
    let (first, second) = &VALUES;
    let (mut bytes, mut seen) = ([0; N], 0);
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        let value = first[usize::from(*high)] | second[usize::from(*low)];
        seen |= value;
        *byte = value as u8;
    }
    (seen & NOT_HEX == 0).then_some(bytes)
}

/// Writes two digits a byte; what does not fit in `out` is left out.
#[inline]
pub(crate) fn encode_hex<const N: usize>(bytes: &[u8; N], out: &mut [u8]) {
    for (byte, pair) in bytes.iter().zip(out.as_chunks_mut::<2>().0) {
        *pair = PAIRS[usize::from(*byte)];
    }
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

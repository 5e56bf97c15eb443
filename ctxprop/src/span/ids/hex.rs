//! Lower-case hexadecimal digits, `HEXDIGLC` in the specification: two of them at a time, as one number whose bytes take
//! each step together, and as many such numbers as the compiler's vectors hold.

/// In both bytes.
const fn both(byte: u8) -> u16 {
    u16::from_le_bytes([byte, byte])
}

/// A byte from its two digits, and a number that is not zero where one of them is none.
#[inline]
fn decode_pair(digits: [u8; 2]) -> (u8, u16) {
    // `0` to `9` become 0 to 9, `a` to `f` become 0x51 to 0x56: bit 6 tells which.
    let columns = u16::from_le_bytes(digits) ^ both(b'0');
    let letters = (columns >> 6) & both(1);
    let values = columns.wrapping_sub(letters.wrapping_mul(0x47));
    // Bit 4 is set by what is more than 9, as a letter must be and a digit must not.
    let tens = values.wrapping_add(both(6)) ^ (letters << 4);
    ((values << 4 | values >> 8) as u8, values | tens)
}

/// `N` bytes from exactly `2 * N` digits.
#[inline]
pub(crate) fn decode_hex<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    if text.len() != 2 * N {
        return None;
    }
    let (mut bytes, mut wrong) = ([0; N], 0);
    for (byte, pair) in bytes.iter_mut().zip(text.as_chunks::<2>().0) {
        let (decoded, bad) = decode_pair(*pair);
        (*byte, wrong) = (decoded, wrong | bad);
    }
    (wrong & both(0xf0) == 0).then_some(bytes)
}

/// Writes two digits a byte; what does not fit in `out` is left out.
#[inline]
pub(crate) fn encode_hex<const N: usize>(bytes: &[u8; N], out: &mut [u8]) {
    for (byte, pair) in bytes.iter().zip(out.as_chunks_mut::<2>().0) {
        let values = u16::from(byte >> 4) | u16::from(byte & 0x0f) << 8;
        let letters = ((values + both(6)) >> 4) & both(1);
        *pair = (values + both(b'0') + letters * 0x27).to_le_bytes();
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

//! Lower-case hexadecimal digits, `HEXDIGLC` in the specification: eight of them at a time, as one number whose
//! bytes take each step together.

/// In each byte.
const fn all(byte: u8) -> u64 {
    u64::from_le_bytes([byte; 8])
}

/// The four bytes of eight digits, and a number that is not zero where one of them is none.
#[inline]
fn decode_eight(digits: [u8; 8]) -> ([u8; 4], u64) {
    let digits = u64::from_le_bytes(digits);
    // `0` to `9` are 0x30 to 0x39, `a` to `f` are 0x61 to 0x66: bit 6 tells which.
    let letters = (digits >> 6) & all(1);
    let values = (digits & all(0x0f)) + letters * 9;
    let columns = (digits & all(0xf0)) ^ (all(0x30) + letters * 0x30);
    // Bit 4 is set by what is more than 9, as a letter must be and a digit must not.
    let tens = ((values + all(6)) & all(0x10)) ^ (letters << 4);
    let wrong = columns | tens | (values & all(0x10));
    // Two digits each are put together, and the bytes then pushed together.
    let pairs = (values << 4 | values >> 8) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs | pairs >> 8) & 0x0000_ffff_0000_ffff;
    (((fours | fours >> 16) as u32).to_le_bytes(), wrong)
}

/// `N` bytes from exactly `2 * N` digits.
#[inline]
pub(crate) fn decode_hex<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    if text.len() != 2 * N {
        return None;
    }
    let (mut bytes, mut wrong) = ([0; N], 0);
    let (eights, rest) = text.as_chunks::<8>();
    let (fours, last) = bytes.as_chunks_mut::<4>();
    for (four, eight) in fours.iter_mut().zip(eights) {
        let (decoded, bad) = decode_eight(*eight);
        (*four, wrong) = (decoded, wrong | bad);
    }
    if !rest.is_empty() {
        let mut eight = [b'0'; 8];
        eight.iter_mut().zip(rest).for_each(|(to, digit)| *to = *digit);
        let (decoded, bad) = decode_eight(eight);
        last.iter_mut().zip(decoded).for_each(|(to, byte)| *to = byte);
        wrong |= bad;
    }
    (wrong == 0).then_some(bytes)
}

/// In both bytes.
const fn both(byte: u8) -> u16 {
    u16::from_le_bytes([byte, byte])
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

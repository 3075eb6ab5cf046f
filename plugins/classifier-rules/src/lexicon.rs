//! A map by the hash of a word, which the tokeniser has at hand: one look instead of a comparison
//! of letters.

/// Words and what they stand for. A word that was never put in is found with a chance of one in a
/// million, which no judgement hangs on.
pub(crate) struct Lexicon<T> {
    /// Hash and value; the hash 0 is an empty place. Twice as many places as words at least.
    places: Vec<(u32, T)>,
    count: usize,
}

impl<T: Copy + Default> Default for Lexicon<T> {
    fn default() -> Self {
        Lexicon {
            places: vec![(0, T::default()); 64],
            count: 0,
        }
    }
}

impl<T: Copy + Default> Lexicon<T> {
    pub(crate) fn get(&self, hash: u32) -> Option<T> {
        let (found, value) = self.places[self.place(hash)];
        (found != 0).then_some(value)
    }

    /// The value of a word, to write; a new word has the default one.
    pub(crate) fn entry(&mut self, hash: u32) -> &mut T {
        let mut place = self.place(hash);
        if self.places[place].0 == 0 {
            self.count += 1;
            if self.count * 2 > self.places.len() {
                self.grow();
                place = self.place(hash);
            }
            self.places[place].0 = hash;
        }
        &mut self.places[place].1
    }

    /// Where a hash stands, or would stand.
    fn place(&self, hash: u32) -> usize {
        let last = self.places.len() - 1;
        let mut place = hash as usize & last;
        while self.places[place].0 != hash && self.places[place].0 != 0 {
            place = (place + 1) & last;
        }
        place
    }

    fn grow(&mut self) {
        let larger = vec![(0, T::default()); self.places.len() * 2];
        for (hash, value) in std::mem::replace(&mut self.places, larger) {
            if hash != 0 {
                let place = self.place(hash);
                self.places[place] = (hash, value);
            }
        }
    }
}

/// FNV-1a of a folded word, never 0.
pub(crate) fn hash(word: &[u8]) -> u32 {
    let mix = |hash: u32, byte: &u8| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
    word.iter().fold(0x811c_9dc5, mix).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_was_put_in() {
        let mut lexicon = Lexicon::<u32>::default();
        for n in 1..=1_000_u32 {
            *lexicon.entry(hash(&n.to_le_bytes())) = n;
        }
        for n in 1..=1_000_u32 {
            assert_eq!(lexicon.get(hash(&n.to_le_bytes())), Some(n));
        }
        assert_eq!(lexicon.get(hash(b"never")), None);
    }
}

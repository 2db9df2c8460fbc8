//! Bytes as a row of choices.

/// Reads choices off the bytes of an input; when they are used up, the first choice is taken every time.
pub(crate) struct Choices<'a> {
    rest: &'a [u8],
}

impl<'a> Choices<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Choices<'a> {
        Choices { rest: bytes }
    }

    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.rest.split_first() else { return 0 };
        self.rest = rest;
        *first
    }

    /// A number below `limit`.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        usize::from(self.byte()) % limit
    }

    /// One of several.
    pub(crate) fn one<'b, T: ?Sized>(&mut self, of: &[&'b T]) -> &'b T {
        of[self.below(of.len())]
    }

    /// One of the first `good`, and rarely one of all.
    pub(crate) fn mostly<'b>(&mut self, good: usize, of: &[&'b str]) -> &'b str {
        let limit = if self.rarely() { of.len() } else { good };
        of[self.below(limit)]
    }

    /// True for a quarter of all bytes.
    pub(crate) fn sometimes(&mut self) -> bool {
        self.byte() % 4 == 3
    }

    /// True for a sixteenth of all bytes.
    pub(crate) fn rarely(&mut self) -> bool {
        self.byte() % 16 == 15
    }

    /// A text of up to 15 bytes of the input, with replacement characters where they are not UTF-8.
    pub(crate) fn text(&mut self) -> String {
        let length = self.below(16).min(self.rest.len());
        let (text, rest) = self.rest.split_at(length);
        self.rest = rest;
        String::from_utf8_lossy(text).into_owned()
    }
}

//! The weights that routes are tried with.

/// Every vector of 0, 1 and 7 with a sum above 0: the controller never evaluates another (all 0 becomes 1, 0, …).
pub fn vectors(length: usize) -> Vec<Vec<u32>> {
    let mut list: Vec<Vec<u32>> = vec![Vec::new()];
    for _ in 0..length {
        list = list.iter().flat_map(|vector| [0, 1, 7].map(|next| [vector.as_slice(), &[next]].concat())).collect();
    }
    list.retain(|vector| vector.iter().sum::<u32>() > 0);
    list
}

#pragma once

#include <cstdint>
#include <optional>
#include <random>
#include <span>
#include <vector>

#include "lifecycle/direct_run.h"
#include "model/signature.h"

namespace modelmill {

/// How made-up values are spread. Tame values are those that most models take: floats in [0, 1), integers 0 and 1
/// (valid indices, masks and flags). Wide ones tell rows apart better: floats in [-2, 2), integers below 10.
enum class ValueRange { kTame, kWide };

/// Of images, [-1, channels, height, width] or [-1, height, width, channels].
bool has_images(const TensorSpec& spec);

/// Sizes that are tried for dimensions that may have any, likely ones first. Images are no smaller at first than nets
/// for them take: below that some runtimes write where they must not (OpenVINO 2026.4, on what pooling leaves nothing
/// of).
std::span<const int64_t> likely_sizes(const Signature& signature);

/// True when an input has a dimension of any size, the batch dimension apart.
bool has_open_sizes(const Signature& signature, bool batched);

/// One request's inputs for `rows` rows: random, valid by the signature, `open_size` in every dimension of any size.
/// The first element of integer inputs counts up with `row`, so that no two rows are alike. Optional inputs are left
/// out. nullopt when they would be unreasonably large. The same seed gives the same values.
std::optional<TensorList> sample_inputs(const Signature& signature, bool batched, int64_t rows, int64_t open_size,
                                        ValueRange range, int row, std::mt19937_64& random);

/// Random elements for one tensor; `row` as above.
Tensor sample_tensor(const std::string& name, DataType dtype, const Shape& shape, ValueRange range, int row,
                     std::mt19937_64& random);

/// Bytes of a row's inputs and outputs as far as the signature tells; dimensions of any size count as 1.
int64_t fixed_row_bytes(const Signature& signature);

/// Bytes of all tensors together.
int64_t total_bytes(const TensorList& tensors);

}  // namespace modelmill

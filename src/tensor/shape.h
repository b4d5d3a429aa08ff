#pragma once

#include <boost/container/small_vector.hpp>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>

namespace modelmill {

/// The size of each dimension, outermost first. In a signature -1 means "any size"; in a tensor all are >= 0.
using Shape = boost::container::small_vector<int64_t, 4>;

/// Ranks above this are refused at the edges.
inline constexpr size_t kMaxRank = 32;

/// The product of the dimensions (1 for a scalar); nullopt when one is negative or the product passes int64.
std::optional<int64_t> element_count(std::span<const int64_t> shape);
/// "[1,3,-1]".
std::string shape_text(std::span<const int64_t> shape);
/// Whether `actual` has the rank of `pattern` and its sizes wherever `pattern` is not -1.
bool shape_matches(std::span<const int64_t> pattern, std::span<const int64_t> actual);

inline std::span<const int64_t> dims(const Shape& shape) { return {shape.data(), shape.size()}; }

}  // namespace modelmill

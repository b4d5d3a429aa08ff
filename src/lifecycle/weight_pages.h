#pragma once

#include <cstdint>
#include <string>

namespace modelmill {

/// Of a model whose weights are so many bytes, and that has been loaded into this process just now: puts them in huge
/// pages, where they are too many for a core's caches and their pages for its TLB.
void put_weights_in_huge_pages(const std::string& model, uint64_t bytes);

}  // namespace modelmill

#include "tensor_names.h"

#include <algorithm>
#include <charconv>

#include "modelmill/backend.hpp"

namespace modelmill::pytorch {
namespace {

using Places = std::optional<std::vector<size_t>>;

Places by_own_name(const std::vector<std::string>& configured, const std::vector<std::string>& own) {
  std::vector<size_t> out;
  for (const std::string& name : configured) {
    const auto found = std::find(own.begin(), own.end(), name);
    if (found == own.end()) return std::nullopt;
    out.push_back(static_cast<size_t>(found - own.begin()));
  }
  return out;
}

Places by_index(const std::vector<std::string>& configured) {
  std::vector<size_t> out;
  for (const std::string& name : configured) {
    const auto place = place_in_name(name);
    if (!place) return std::nullopt;
    out.push_back(*place);
  }
  return out;
}

std::vector<size_t> by_order(size_t count) {
  std::vector<size_t> out(count);
  for (size_t i = 0; i < count; ++i) out[i] = i;
  return out;
}

}  // namespace

std::string input_name(size_t index) { return "INPUT__" + std::to_string(index); }
std::string output_name(size_t index) { return "OUTPUT__" + std::to_string(index); }

std::optional<size_t> place_in_name(const std::string& name) {
  const size_t at = name.rfind("__");
  if (at == std::string::npos || at == 0) return std::nullopt;
  size_t out = 0;
  const char* const end = name.data() + name.size();
  const auto [stop, error] = std::from_chars(name.data() + at + 2, end, out);
  return error == std::errc() && stop == end ? std::optional(out) : std::nullopt;
}

std::vector<size_t> match_names(const std::vector<std::string>& configured, const std::vector<std::string>& own,
                                const std::string& kind) {
  Places places = by_own_name(configured, own);
  if (!places) places = by_index(configured);
  if (!places) places = by_order(configured.size());
  std::vector<bool> taken(own.size());
  for (size_t i = 0; i < configured.size(); ++i) {
    const size_t place = (*places)[i];
    const std::string what = kind + " '" + configured[i] + "' of the configuration ";
    if (place >= own.size())
      throw backend::Error(MM_INVALID_ARGUMENT, what + "would be number " + std::to_string(place) +
                                                    " (from 0), but the model has " + std::to_string(own.size()) + " " +
                                                    kind + "s");
    if (taken[place])
      throw backend::Error(MM_INVALID_ARGUMENT, what + "is number " + std::to_string(place) + ", as another one");
    taken[place] = true;
  }
  return *std::move(places);
}

}  // namespace modelmill::pytorch

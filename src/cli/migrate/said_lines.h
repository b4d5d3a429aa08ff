#pragma once

#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/model_layer.h"

namespace modelmill {

/// A key of a modelmill.yaml with what it is set to.
struct SaidLine {
  std::string key;  // "batching.max_size"
  std::string value;
};

/// The keys that said_yaml() has written.
std::vector<SaidLine> lines_of(std::string_view yaml);

/// Effective configurations are compared by their text, of which places and what nobody has said are no part.
std::string without_origins(std::string_view yaml);

/// The layer with what it says of one field alone, of Triton's configuration or beside it.
ModelLayer only(const ModelLayer& layer, const std::string& field);
/// All layers without these fields.
std::vector<ModelLayer> without(std::span<const ModelLayer> layers, const std::set<std::string>& fields);
/// All layers without what a hand has tuned that the server finds out by itself: how many instances there are, their
/// threads, preferred sizes of batches and their delay.
std::vector<ModelLayer> untuned(std::span<const ModelLayer> layers);
/// The key is one of those.
bool is_tuned_key(const std::string& key);

/// The fields that somebody speaks of, in the order of Triton's configuration, then those beside it.
std::vector<std::string> said_fields(std::span<const ModelLayer> layers);

}  // namespace modelmill

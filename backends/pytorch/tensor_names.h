#pragma once

#include <optional>
#include <string>
#include <vector>

namespace modelmill::pytorch {

/// "INPUT__0", the name of what has none.
std::string input_name(size_t index);
std::string output_name(size_t index);

/// The place that a name of the form ANYTHING__INDEX tells; nullopt for other names.
std::optional<size_t> place_in_name(const std::string& name);

/// Which of the model's places each configured tensor means, as Triton's PyTorch backend has it: all by the model's own
/// names, else all by NAME__INDEX, else by their order. Throws Error when there are more than the model has, or two
/// mean one place. `own`: the model's names, "" for what has none; `kind`: "input" or "output", for messages.
std::vector<size_t> match_names(const std::vector<std::string>& configured, const std::vector<std::string>& own,
                                const std::string& kind);

}  // namespace modelmill::pytorch

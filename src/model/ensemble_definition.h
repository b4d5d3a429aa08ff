#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace modelmill {

/// The platform of models that are made of others.
inline constexpr std::string_view kEnsemblePlatform = "ensemble";

/// One request to a member.
struct EnsembleStep {
  std::string model;
  int64_t version = 0;                         // 0: the one that requests without a version get
  std::string label;                           // what stands for the version instead; empty: nothing
  std::map<std::string, std::string> inputs;   // names of the ensemble's tensors, by the member's inputs
  std::map<std::string, std::string> outputs;  // by its outputs

  /// "ocr", "ocr@3" or "ocr@stable".
  std::string text() const {
    if (!label.empty()) return model + '@' + label;
    return version == 0 ? model : model + '@' + std::to_string(version);
  }
};

/// How the answers of several members become one.
enum class Combiner {
  kAverage,   // the mean
  kWeighted,  // the mean, by the members' weights
  kMax,       // the largest
  kMajority,  // what most members say
  kSoftVote,  // the mean of probabilities, and the class for which it is largest
};
/// "average", "weighted", "max", "majority", "soft_vote".
std::string_view combiner_name(Combiner combiner);
std::optional<Combiner> parse_combiner(std::string_view name);
/// Whether members may have weights.
bool takes_weights(Combiner combiner);

/// Members that all get the request; their answers become one.
struct CombinationDefinition {
  struct Member {
    std::string model;
    int64_t version = 0;
    std::string label;
    double weight = 1;
  };
  Combiner combiner = Combiner::kAverage;
  std::vector<Member> members;
  /// The members' outputs that are combined; empty: all that can be.
  std::vector<std::string> outputs;
  /// How many members are enough; 0: all.
  int64_t quorum = 0;
  /// How long members are waited for; 0: as long as the request may take.
  std::chrono::microseconds deadline{0};
};

/// A model that is made of others. Either its steps are tied by tensors, or it is a combination, whose steps follow
/// from what its members take and give.
struct EnsembleDefinition {
  std::vector<EnsembleStep> steps;
  std::optional<CombinationDefinition> combination;

  /// The names of its members, each once, in the order of the steps.
  std::vector<std::string> members() const;
};

}  // namespace modelmill

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

/// What a tensor of a pipeline must be for a step to run.
struct StepCondition {
  enum class Test { kAbove, kAtLeast, kBelow, kAtMost, kEquals, kDiffers };
  /// Which of the elements it must be true of.
  enum class Reduction { kAll, kAny };

  std::string tensor;
  Test test = Test::kEquals;
  /// What elements are compared with: a number, or, of BYTES, a text. BOOL is 0 or 1.
  double number = 0;
  std::string text;
  bool is_text = false;
  Reduction reduction = Reduction::kAll;

  /// "score above 0.5", "any of language equals 'de'".
  std::string to_string() const;
  bool operator==(const StepCondition&) const = default;
};
/// "above", "at_least", "below", "at_most", "equals", "differs".
std::string_view test_name(StepCondition::Test test);
std::optional<StepCondition::Test> parse_test(std::string_view name);

/// One request to a member.
struct EnsembleStep {
  std::string model;
  int64_t version = 0;                         // 0: the one that requests without a version get
  std::string label;                           // what stands for the version instead; empty: nothing
  std::map<std::string, std::string> inputs;   // names of the ensemble's tensors, by the member's inputs
  std::map<std::string, std::string> outputs;  // by its outputs
  /// It runs only where this is true; nullopt: always, or where `otherwise` says.
  std::optional<StepCondition> when;
  /// It runs where no step before it ran that writes one of its tensors.
  bool otherwise = false;

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

/// What a member's answer costs it, from 0 to 1.
enum class MemberLoss {
  kZeroOne,   // 1 for another label than the true one
  kBrier,     // half the squared distance of the probabilities from the truth
  kSquared,   // the squared distance, of a range
  kAbsolute,  // the distance, of a range
};
/// "zero_one", "brier", "squared", "absolute".
std::string_view loss_name(MemberLoss loss);
std::optional<MemberLoss> parse_loss(std::string_view name);

/// How a combination's weights follow what is told of its answers.
struct WeightLearning {
  double rate = 0.1;               // of Hedge: how strongly one loss counts
  double floor = 0.01;             // the least that a weight can be, of all together 1
  std::optional<MemberLoss> loss;  // nullopt: that which suits the combiner
  double range = 1;                // a distance that costs all, of losses by distance
  std::string output;              // that labels are for; empty: the first that is combined

  bool operator==(const WeightLearning&) const = default;
};
/// The loss of members whose answers are combined so.
MemberLoss default_loss(Combiner combiner);

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
  /// nullopt: weights are what they are set to.
  std::optional<WeightLearning> learning;
};

/// A model that is made of others. Either its steps are tied by tensors, or it is a combination, whose steps follow
/// from what its members take and give.
struct EnsembleDefinition {
  std::vector<EnsembleStep> steps;
  std::optional<CombinationDefinition> combination;
  /// How many answers of a member that gives any number of them may be under way in a request; 0: as many as suits.
  uint32_t most_under_way = 0;

  /// The names of its members, each once, in the order of the steps.
  std::vector<std::string> members() const;
  /// Whether steps depend on what tensors are.
  bool has_conditions() const;
};

/// The field of a layer that says it: "combination", "pipeline" or "ensemble_scheduling".
const char* ensemble_field(const EnsembleDefinition& ensemble);

}  // namespace modelmill

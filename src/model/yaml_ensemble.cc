#include "model/yaml_ensemble.h"

#include <charconv>
#include <utility>

#include "base/duration_text.h"
#include "model/yaml_check.h"

namespace modelmill {
namespace {

class Reading {
 public:
  Reading(const std::string& file, std::vector<ConfigProblem>& problems) : file_(file), problems_(problems) {}

  YamlEnsemble run(const YAML::Node& ensemble) {
    const size_t before = problems_.size();
    YamlEnsemble out;
    const bool members = ensemble["members"].IsDefined(), steps = ensemble["steps"].IsDefined();
    if (members == steps) {
      add(ensemble, "an ensemble must have one of members and steps");
    } else if (members) {
      out.combination = combination_of(ensemble);
    } else {
      for (const char* key : {"combine", "outputs", "quorum", "deadline", "weights"})
        if (const YAML::Node value = ensemble[key]; value.IsDefined())
          add(value, "'" + std::string(key) + "' is for an ensemble with members; remove it, or the steps");
      read_steps(ensemble["steps"], out);
    }
    return problems_.size() == before ? std::move(out) : YamlEnsemble();
  }

 private:
  void add(const YAML::Node& value, std::string message) {
    problems_.push_back({Code::kInvalidArgument, yaml_place(file_, value.Mark()), std::move(message)});
  }

  CombinationDefinition combination_of(const YAML::Node& ensemble) {
    CombinationDefinition out;
    const YAML::Node combine = ensemble["combine"];
    if (!combine.IsDefined())
      add(ensemble,
          "an ensemble with members must say how to combine them: average, weighted, max, majority or "
          "soft_vote");
    else
      out.combiner = parse_combiner(combine.Scalar()).value_or(Combiner::kAverage);
    for (const auto& member : ensemble["members"]) out.members.push_back(member_of(member));
    if (const YAML::Node outputs = ensemble["outputs"]; outputs.IsDefined())
      for (const auto& output : outputs) out.outputs.push_back(output.Scalar());
    if (const YAML::Node quorum = ensemble["quorum"]; quorum.IsDefined()) out.quorum = yaml_number(quorum).value_or(0);
    if (const YAML::Node deadline = ensemble["deadline"]; deadline.IsDefined())
      out.deadline = parse_duration(deadline.Scalar()).value();
    if (const YAML::Node weights = ensemble["weights"]; weights.IsDefined()) out.learning = learning_of(weights);
    return out;
  }

  WeightLearning learning_of(const YAML::Node& weights) {
    WeightLearning out;
    read_number(weights, "rate", out.rate);
    read_number(weights, "floor", out.floor);
    read_number(weights, "range", out.range);
    if (const YAML::Node loss = weights["loss"]; loss.IsDefined()) out.loss = parse_loss(loss.Scalar());
    if (const YAML::Node output = weights["output"]; output.IsDefined()) out.output = output.Scalar();
    return out;
  }

  void read_number(const YAML::Node& group, const char* key, double& into) {
    const YAML::Node value = group[key];
    if (!value.IsDefined()) return;
    const std::string& text = value.Scalar();
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), into);
    if (error != std::errc() || end != text.data() + text.size())
      add(value, std::string(key) + " '" + text + "' is not a number, such as 0.5");
  }

  CombinationDefinition::Member member_of(const YAML::Node& entry) {
    CombinationDefinition::Member out;
    const YAML::Node model = entry.IsMap() ? entry["model"] : entry;
    out.model = model.Scalar();
    if (const size_t at = out.model.find('@'); at != std::string::npos) {
      out.label = out.model.substr(at + 1);
      out.model.resize(at);
      if (out.label.empty()) add(model, "'" + model.Scalar() + "' names no version after the @");
      if (const auto number = number_of(out.label)) {
        out.version = *number;
        out.label.clear();
      }
    }
    if (entry.IsMap()) read_number(entry, "weight", out.weight);
    return out;
  }

  static std::optional<int64_t> number_of(const std::string& text) {
    int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size() || number < 1) return std::nullopt;
    return number;
  }

  void read_steps(const YAML::Node& steps, YamlEnsemble& out) {
    bool conditional = false;
    for (const auto& step : steps) conditional = conditional || step["when"].IsDefined();
    if (!conditional) {
      out.scheduling = scheduling_of(steps);
      return;
    }
    out.pipeline.emplace();
    for (const auto& step : steps) out.pipeline->push_back(conditional_step(step));
  }

  EnsembleStep conditional_step(const YAML::Node& entry) {
    const CombinationDefinition::Member member = member_of(entry);
    check_numbered(entry, member);
    EnsembleStep out{member.model, member.version, {}, {}, {}, std::nullopt, false};
    for (const auto& map : entry["inputs"]) out.inputs[map.first.Scalar()] = map.second.Scalar();
    for (const auto& map : entry["outputs"]) out.outputs[map.first.Scalar()] = map.second.Scalar();
    const YAML::Node when = entry["when"];
    out.otherwise = when.IsDefined() && when.IsScalar();
    if (when.IsDefined() && !when.IsScalar()) out.when = condition_of(when);
    return out;
  }

  StepCondition condition_of(const YAML::Node& when) {
    StepCondition out;
    out.tensor = when["tensor"].Scalar();
    size_t tests = 0;
    for (const char* name : {"above", "at_least", "below", "at_most", "equals", "differs"}) {
      const YAML::Node value = when[name];
      if (!value.IsDefined()) continue;
      ++tests;
      out.test = *parse_test(name);
      const std::string& text = value.Scalar();
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out.number);
      const bool is_number = value.Tag() != "!" && error == std::errc() && end == text.data() + text.size();
      out.is_text = !is_number;
      if (out.is_text) out.number = 0;
      out.text = out.is_text ? text : std::string();
      if (value.Tag() != "!" && (text == "true" || text == "false")) {
        out = {out.tensor, out.test, text == "true" ? 1.0 : 0.0, "", false, out.reduction};
      } else if (out.is_text && out.test != StepCondition::Test::kEquals && out.test != StepCondition::Test::kDiffers) {
        add(value, std::string(name) + " is for numbers, and '" + text + "' is none; texts have equals and differs");
      }
    }
    if (tests != 1)
      add(when, "a condition must have one of above, at_least, below, at_most, equals and differs; it has " +
                    std::to_string(tests));
    if (const YAML::Node of = when["of"]; of.IsDefined() && of.Scalar() == "any")
      out.reduction = StepCondition::Reduction::kAny;
    return out;
  }

  void check_numbered(const YAML::Node& entry, const CombinationDefinition::Member& member) {
    if (!member.label.empty())
      add(entry["model"],
          "a step names a model or, as MODEL@VERSION, a version by its number, not '" + entry["model"].Scalar() + "'");
  }

  inference::ModelEnsembling scheduling_of(const YAML::Node& steps) {
    inference::ModelEnsembling out;
    for (const auto& entry : steps) {
      const CombinationDefinition::Member member = member_of(entry);
      check_numbered(entry, member);
      auto& step = *out.add_step();
      step.set_model_name(member.model);
      step.set_model_version(member.version > 0 ? member.version : -1);
      for (const auto& map : entry["inputs"]) (*step.mutable_input_map())[map.first.Scalar()] = map.second.Scalar();
      for (const auto& map : entry["outputs"]) (*step.mutable_output_map())[map.first.Scalar()] = map.second.Scalar();
    }
    return out;
  }

  const std::string& file_;
  std::vector<ConfigProblem>& problems_;
};

}  // namespace

YamlEnsemble ensemble_of_yaml(const YAML::Node& ensemble, const std::string& file,
                              std::vector<ConfigProblem>& problems) {
  return Reading(file, problems).run(ensemble);
}

}  // namespace modelmill

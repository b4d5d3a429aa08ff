#include "model/yaml_check.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <optional>
#include <set>
#include <utility>

#include "base/duration_text.h"
#include "base/size_text.h"
#include "model/spelling.h"
#include "model/yaml_keys.h"

namespace modelmill {
namespace {

using Form = YamlRule::Form;

std::string joined(std::span<const std::string_view> words) {
  std::string out;
  for (const std::string_view word : words) out += (out.empty() ? "" : ", ") + std::string(word);
  return out;
}

std::string forms_text(const YamlRule& rule);

std::string keys_text(std::span<const YamlKey> keys) {
  std::string out;
  for (const YamlKey& key : keys) out += (out.empty() ? "" : ", ") + std::string(key.name);
  return out;
}

/// "a number from 1 to 8", for errors.
std::string form_text(const YamlRule& rule) {
  switch (rule.form) {
    case Form::kText: return "a text";
    case Form::kNumber: {
      const bool open = rule.most == std::numeric_limits<int64_t>::max();
      return "a whole number " + std::string(open ? "of " : "from ") + std::to_string(rule.least) +
             (open ? " or more" : " to " + std::to_string(rule.most));
    }
    case Form::kPercent: return "a number of percents, from 0 to 100";
    case Form::kSwitch: return "true or false";
    case Form::kTime: return "a time with its unit, such as 20ms";
    case Form::kBytes: return "a size in bytes or with its unit, such as 8GiB";
    case Form::kChoice:
      return rule.choices.size() == 1 ? std::string(rule.choices[0]) : "one of " + joined(rule.choices);
    case Form::kGroup: return "a group with the keys " + keys_text(rule.keys);
    case Form::kList: return "a list" + (rule.item == nullptr ? "" : ", each " + forms_text(*rule.item));
    case Form::kMap: return (rule.numbered ? "numbers" : "names") + std::string(", each with ") + form_text(*rule.item);
  }
  return {};
}

std::string forms_text(const YamlRule& rule) {
  std::string out;
  for (const YamlRule* form = &rule; form != nullptr; form = form->other)
    out += (out.empty() ? "" : ", or ") + form_text(*form);
  return out;
}

/// What a node is, for errors.
std::string value_text(const YAML::Node& value) {
  constexpr size_t kShown = 60;
  if (value.IsScalar()) {
    const std::string& text = value.Scalar();
    return "'" + text.substr(0, kShown) + (text.size() > kShown ? "...'" : "'");
  }
  return value.IsSequence() ? "a list" : value.IsMap() ? "a group of keys" : "empty";
}

bool is_quoted(const YAML::Node& value) { return value.Tag() == "!"; }

/// Empty when a scalar has the form, else what is wrong, to stand after "'key' is 'value', ".
std::string scalar_problem(const YAML::Node& value, const YamlRule& rule) {
  const std::string& text = value.Scalar();
  const auto must_be = [&rule] { return "but must be " + form_text(rule); };
  switch (rule.form) {
    case Form::kText: return text.empty() ? "but must not be empty" : "";
    case Form::kNumber: {
      const auto number = yaml_number(value);
      return number && *number >= rule.least && *number <= rule.most ? "" : must_be();
    }
    case Form::kPercent: return yaml_percent(value) ? "" : must_be();
    case Form::kSwitch: return yaml_switch(value) ? "" : must_be();
    case Form::kTime: return parse_duration(text).ok() ? "" : must_be() + ", of at most an hour";
    case Form::kBytes: return parse_bytes(text).ok() ? "" : must_be();
    case Form::kChoice: {
      if (std::find(rule.choices.begin(), rule.choices.end(), text) != rule.choices.end()) return "";
      const std::vector<std::string> known(rule.choices.begin(), rule.choices.end());
      const std::string meant = nearest(text, known);
      return must_be() + (meant.empty() ? "" : "; did you mean '" + meant + "'?");
    }
    default: return must_be();
  }
}

bool is_scalar_form(Form form) { return form != Form::kGroup && form != Form::kList && form != Form::kMap; }

/// What people who know other formats write for a key, and keys of the server that this file doesn't have.
std::string other_advice(const std::string& key) {
  static const std::vector<std::pair<std::string, std::string>> kAdvice{
      {"listen", "not read from this file yet; use the option --listen"},
      {"routes", "it stands beside 'models', in a file that lists models"},
      {"rollouts", "it stands beside 'models', in a file that lists models"},
      {"experiments", "it stands beside 'models', in a file that lists models"},
      {"device_memory", "it stands beside 'models', in a file that lists models; a model has instance_memory"},
      {"max_batch_size", "write it as batching: {max_size: N}"},
      {"dynamic_batching", "did you mean 'batching'?"},
      {"instance_group", "did you mean 'instances'?"},
      {"instance_groups", "did you mean 'instances'?"},
      {"version_policy", "did you mean 'versions'?"},
      {"version_labels", "did you mean 'labels'?"},
      {"input", "did you mean 'inputs'?"},
      {"output", "did you mean 'outputs'?"},
      {"platform", "did you mean 'backend'?"},
      {"default_model_filename", "did you mean 'file'?"},
      {"model_warmup", "did you mean 'warmup'?"},
      {"data_type", "did you mean 'type'?"},
      {"datatype", "did you mean 'type'?"},
      {"shape", "did you mean 'dims'?"},
      {"max_queue_delay_microseconds", "write it as delay: 500us"},
      {"preferred_batch_size", "did you mean 'preferred_sizes'?"},
      {"allowed_batch_sizes", "did you mean 'allowed_sizes'?"}};
  for (const auto& [name, advice] : kAdvice)
    if (name == key) return "; " + advice;
  return {};
}

/// "batching" for a key that is known deeper than where it was written, "a model" where it is known in those.
std::string home_of(const YamlRule& rule, const std::string& key, const std::string& path) {
  for (const YamlRule* form = &rule; form != nullptr; form = form->other)
    for (const YamlKey& known : form->keys) {
      if (known.rule->form != Form::kGroup) continue;
      std::string here = path.empty() ? std::string(known.name) : path + "." + std::string(known.name);
      for (const YamlKey& inside : known.rule->keys)
        if (inside.name == key) return here;
      if (std::string deeper = home_of(*known.rule, key, here); !deeper.empty()) return deeper;
    }
  return {};
}

std::string unknown_key_text(const std::string& key, const YamlRule& rule, const std::string& name) {
  std::string out = "unknown key '" + key + "'" + (name.empty() ? "" : " in " + name);
  if (std::string advice = other_advice(key); !advice.empty()) return out + advice;
  std::vector<std::string> known;
  for (const YamlKey& one : rule.keys) known.emplace_back(one.name);
  if (const std::string meant = nearest(key, known); !meant.empty()) return out + "; did you mean '" + meant + "'?";
  if (const std::string home = home_of(yaml_model_rule(), key, {}); !home.empty())
    return out + "; it belongs in " + home;
  for (const YamlKey& one : yaml_model_rule().keys)
    if (one.name == key) return out + "; it belongs to a model";
  return out + "; there are " + keys_text(rule.keys);
}

class Checker {
 public:
  Checker(const std::string& file, std::vector<ConfigProblem>& problems) : file_(file), problems_(problems) {}

  void check(const YAML::Node& value, const YamlRule& rule, const std::string& name, const YAML::Mark& mark) {
    const YamlRule* only_scalar = nullptr;
    for (const YamlRule* form = &rule; form != nullptr; form = form->other) {
      if (value.IsMap() && form->form == Form::kGroup) return check_group(value, *form, name, mark);
      if (value.IsMap() && form->form == Form::kMap) return check_map(value, *form, name);
      if (value.IsSequence() && form->form == Form::kList) return check_list(value, *form, name, mark);
      if (value.IsScalar() && is_scalar_form(form->form)) {
        if (scalar_problem(value, *form).empty()) return;
        only_scalar = form;
      }
    }
    if (only_scalar != nullptr && rule.other == nullptr)
      return add(mark, "'" + name + "' is " + value_text(value) + ", " + scalar_problem(value, rule));
    add(mark, "'" + name + "' is " + value_text(value) + ", but must be " + forms_text(rule));
  }

 private:
  void add(const YAML::Mark& mark, std::string message) {
    problems_.push_back({Code::kInvalidArgument, yaml_place(file_, mark), std::move(message)});
  }

  static YAML::Mark mark_of(const YAML::Node& value, const YAML::Mark& otherwise) {
    return value.Mark().is_null() ? otherwise : value.Mark();
  }

  static std::string inside(const std::string& name, const std::string& key) {
    return name.empty() ? key : name + "." + key;
  }

  void check_group(const YAML::Node& value, const YamlRule& rule, const std::string& name, const YAML::Mark& mark) {
    std::set<std::string> seen;
    for (const auto& entry : value) {
      const YAML::Mark here = mark_of(entry.first, mark);
      if (!entry.first.IsScalar()) {
        add(here, "a key must be a name, not " + value_text(entry.first));
        continue;
      }
      const std::string& key = entry.first.Scalar();
      const auto known =
          std::find_if(rule.keys.begin(), rule.keys.end(), [&](const YamlKey& one) { return one.name == key; });
      if (known == rule.keys.end())
        add(here, unknown_key_text(key, rule, name));
      else if (!seen.insert(key).second)
        add(here, "'" + inside(name, key) + "' is written twice; remove one");
      else
        check(entry.second, *known->rule, inside(name, key), mark_of(entry.second, here));
    }
    for (const YamlKey& key : rule.keys)
      if (key.required && !seen.contains(std::string(key.name)))
        add(mark, "'" + inside(name, std::string(key.name)) + "' is missing; it is " + form_text(*key.rule));
  }

  void check_map(const YAML::Node& value, const YamlRule& rule, const std::string& name) {
    std::set<std::string> seen;
    for (const auto& entry : value) {
      const YAML::Mark here = entry.first.Mark();
      if (!entry.first.IsScalar() || entry.first.Scalar().empty()) {
        add(here, "a key of '" + name + "' must be a name");
        continue;
      }
      const std::string& key = entry.first.Scalar();
      if (rule.numbered && yaml_number(entry.first).value_or(rule.least - 1) < rule.least)
        add(here, "a key of '" + name + "' is '" + key + "', but must be a whole number of " +
                      std::to_string(rule.least) + " or more");
      else if (!seen.insert(key).second)
        add(here, "'" + inside(name, key) + "' is written twice; remove one");
      else
        check(entry.second, *rule.item, inside(name, key), mark_of(entry.second, here));
    }
  }

  void check_list(const YAML::Node& value, const YamlRule& rule, const std::string& name, const YAML::Mark& mark) {
    if (static_cast<int64_t>(value.size()) < rule.least)
      add(mark, "'" + name + "' must have at least " + std::to_string(rule.least) +
                    (rule.least == 1 ? " entry" : " entries"));
    for (size_t i = 0; rule.item != nullptr && i < value.size(); ++i)
      check(value[i], *rule.item, name + "[" + std::to_string(i) + "]", mark_of(value[i], mark));
  }

  const std::string& file_;
  std::vector<ConfigProblem>& problems_;
};

}  // namespace

bool read_yaml(std::string_view text, const std::string& file, YAML::Node& into, std::vector<ConfigProblem>& problems) {
  try {
    into = YAML::Load(std::string(text));
    return true;
  } catch (const YAML::Exception& e) {
    problems.push_back({Code::kInvalidArgument, yaml_place(file, e.mark), "not YAML: " + e.msg + "; correct the text"});
    return false;
  }
}

std::string yaml_place(const std::string& file, const YAML::Mark& mark) {
  if (mark.is_null()) return file;
  return file + ':' + std::to_string(mark.line + 1) + ':' + std::to_string(mark.column + 1);
}

std::optional<int64_t> yaml_number(const YAML::Node& value) {
  if (!value.IsScalar() || is_quoted(value)) return std::nullopt;
  const std::string& text = value.Scalar();
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::optional<double> yaml_percent(const YAML::Node& value) {
  if (!value.IsScalar() || is_quoted(value)) return std::nullopt;
  const std::string& text = value.Scalar();
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || !(number >= 0 && number <= 100)) return std::nullopt;
  return number;
}

std::optional<bool> yaml_switch(const YAML::Node& value) {
  if (!value.IsScalar() || is_quoted(value)) return std::nullopt;
  if (value.Scalar() == "true") return true;
  if (value.Scalar() == "false") return false;
  return std::nullopt;
}

void check_yaml(const YAML::Node& value, const YamlRule& rule, const std::string& name, const std::string& file,
                std::vector<ConfigProblem>& problems) {
  Checker(file, problems).check(value, rule, name, value.Mark());
}

}  // namespace modelmill

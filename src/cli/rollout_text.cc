#include "cli/rollout_text.h"

#include <simdjson.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "cli/json_fields.h"
#include "cli/number_text.h"
#include "cli/text_table.h"

namespace modelmill {
namespace {

using simdjson::dom::element;

RolloutStatus::Arm arm_in(const element& object, const char* name) {
  element arm;
  if (object[name].get(arm) != simdjson::SUCCESS) return {};
  return {text_of(arm, "arm"), number_of<uint64_t>(arm, "requests"), number_of<uint64_t>(arm, "errors"),
          number_of<double>(arm, "p50_us"), number_of<double>(arm, "p99_us")};
}

std::optional<RolloutStatus::Copies> copies_in(const element& object) {
  element copies;
  if (object["copies"].get(copies) != simdjson::SUCCESS || copies.is_null()) return std::nullopt;
  return RolloutStatus::Copies{text_of(copies, "to"),
                               text_of(copies, "of"),
                               text_of(copies, "cost"),
                               number_of<double>(copies, "percent"),
                               number_of<uint64_t>(copies, "compared"),
                               number_of<uint64_t>(copies, "disagreed"),
                               number_of<uint64_t>(copies, "failed"),
                               number_of<uint64_t>(copies, "shed"),
                               number_of<uint64_t>(copies, "not_compared")};
}

std::optional<RolloutStatus::Wish> wish_in(const element& object) {
  element wish;
  if (object["wish"].get(wish) != simdjson::SUCCESS || wish.is_null()) return std::nullopt;
  return RolloutStatus::Wish{text_of(wish, "place"), text_of(wish, "state"), text_of(wish, "why")};
}

RolloutStatus status_in(const element& object) {
  RolloutStatus out;
  out.name = text_of(object, "name");
  out.state = text_of(object, "state");
  out.why = text_of(object, "why");
  out.to = text_of(object, "to");
  out.from = text_of(object, "from");
  out.hold = text_of(object, "hold");
  out.steps = text_of(object, "steps");
  out.number = number_of<uint64_t>(object, "number");
  out.step = number_of<uint64_t>(object, "step");
  out.held = flag_of(object, "held");
  out.shadow = flag_of(object, "shadow");
  out.copies = copies_in(object);
  out.wish = wish_in(object);
  out.percent = number_of<double>(object, "percent");
  out.watched_seconds = number_of<double>(object, "watched_seconds");
  out.canary = arm_in(object, "canary");
  out.baseline = arm_in(object, "baseline");
  for (const element& gate : list_of(object, "gates"))
    out.gates.push_back({text_of(gate, "gate"), text_of(gate, "state"), text_of(gate, "text")});
  return out;
}

std::string percent_text(double percent) { return number_text("%g", percent) + "%"; }

std::string state_text(const RolloutStatus& rollout) { return rollout.held ? "held" : rollout.state; }

std::string error_rate(const RolloutStatus::Arm& arm) {
  if (arm.requests == 0) return "-";
  return number_text("%.2f", 100 * static_cast<double>(arm.errors) / static_cast<double>(arm.requests)) + "%";
}

std::string latency(double us) { return time_text(us > 0 ? std::optional(us) : std::nullopt); }

std::string count(uint64_t number) { return count_text(static_cast<double>(number)); }

/// "5%", or of a shadow's step "shadow 10%".
std::string share_at_step(const RolloutStatus& rollout) {
  if (!rollout.shadow) return percent_text(rollout.percent);
  return "shadow " + percent_text(rollout.copies ? rollout.copies->percent : 0);
}

std::string share_of_traffic(const RolloutStatus& rollout) {
  return rollout.is_over() || !rollout.has_begun() ? "-" : share_at_step(rollout);
}

/// Of a wish with its end: "the wish of m.yaml:7:5: waiting: ...".
std::string wish_text(const RolloutStatus& rollout) {
  if (!rollout.wish) return "";
  const RolloutStatus::Wish& wish = *rollout.wish;
  return "the wish of " + wish.place + ": " + wish.state + (wish.why.empty() ? "" : ": " + wish.why) + "\n";
}

std::string disagreement_text(const RolloutStatus::Copies& copies) {
  std::string out = count(copies.compared) + " answers compared, " + count(copies.disagreed) + " disagree";
  if (copies.compared > 0)
    out += " (" +
           number_text("%.2f", 100 * static_cast<double>(copies.disagreed) / static_cast<double>(copies.compared)) +
           "%)";
  return out;
}

}  // namespace

Result<RolloutStatus> read_rollout(std::string_view json) {
  simdjson::dom::parser parser;
  element document;
  if (parser.parse(json.data(), json.size()).get(document) != simdjson::SUCCESS) return answer_not_understood();
  RolloutStatus status = status_in(document);
  return status.state.empty() ? Result<RolloutStatus>(answer_not_understood()) : status;
}

Result<std::string> rollout_list_text(std::string_view json) {
  return text_from(json, [](const element& document) {
    std::vector<TextRow> rows{{"name", "rollout", "to", "from", "state", "share", "why"}};
    for (const element& item : list_of(document, "rollouts")) {
      const RolloutStatus one = status_in(item);
      rows.push_back({one.name, one.has_begun() ? "#" + std::to_string(one.number) : "-", one.to, one.from,
                      state_text(one), share_of_traffic(one), one.why});
    }
    return rows.size() == 1 ? std::string("the server has had no rollouts\n") : text_table(rows, rows[0].size(), 0);
  });
}

std::string rollout_text(const RolloutStatus& rollout) {
  if (!rollout.has_begun())
    return "no rollout of " + rollout.name + " to " + rollout.to + " yet\n" + wish_text(rollout);
  std::string out = "rollout #" + std::to_string(rollout.number) + " of " + rollout.name + ", from " + rollout.from +
                    " to " + rollout.to + ": " + state_text(rollout) + "\n";
  if (!rollout.is_over())
    out += "step " + std::to_string(rollout.step) + " (" + share_at_step(rollout) + ") of " + rollout.steps + ", " +
           count_text(rollout.watched_seconds) + " s of " + rollout.hold + "\n";
  out += rollout.why + "\n" + wish_text(rollout) + "\n";
  std::vector<TextRow> rows{{"", "arm", "requests", "errors", "error rate", "p50", "p99"}};
  for (const auto& [name, arm] : {std::pair("canary", &rollout.canary), std::pair("baseline", &rollout.baseline)})
    rows.push_back({name, arm->name, count(arm->requests), count(arm->errors), error_rate(*arm), latency(arm->p50_us),
                    latency(arm->p99_us)});
  out += text_table(rows, 2, 0);
  if (rollout.copies) {
    const RolloutStatus::Copies& copies = *rollout.copies;
    out += "\ncopies to " + copies.to + " of what " + copies.of + " answers: " + disagreement_text(copies) + ", " +
           count(copies.failed) + " failed, " + count(copies.shed) + " shed" +
           (copies.not_compared > 0 ? ", " + count(copies.not_compared) + " not compared" : std::string()) +
           "\ncost: " + copies.cost + "\n";
  }
  if (rollout.gates.empty()) return out;
  std::vector<TextRow> gates{{"gate", "is", "from"}};
  for (const RolloutStatus::Gate& gate : rollout.gates) gates.push_back({gate.gate, gate.state, gate.text});
  return out + "\n" + text_table(gates, 3, 0);
}

Result<std::string> rollout_history_text(std::string_view json) {
  return text_from(json, [](const element& document) {
    std::vector<TextRow> rows{{"decision", "rollout", "at", "what", "by", "share", "why"}};
    for (const element& entry : list_of(document, "history"))
      rows.push_back({"#" + std::to_string(number_of<uint64_t>(entry, "number")),
                      "#" + std::to_string(number_of<uint64_t>(entry, "rollout")), text_of(entry, "at"),
                      text_of(entry, "what"), text_of(entry, "by"), percent_text(number_of<double>(entry, "percent")),
                      text_of(entry, "why")});
    return text_table(rows, rows[0].size(), 0);
  });
}

std::string rollout_line(const RolloutStatus& rollout) {
  if (!rollout.has_begun()) return rollout.name + " " + rollout.state + ": " + rollout.why + "\n";
  const auto arm = [](const RolloutStatus::Arm& one) {
    return one.name + " " + count(one.requests) + " requests, " + error_rate(one) + " errors, p99 " +
           latency(one.p99_us);
  };
  return rollout.name + " " + state_text(rollout) + " " + share_at_step(rollout) + ": " + arm(rollout.canary) + "; " +
         arm(rollout.baseline) + "; " + (rollout.copies ? disagreement_text(*rollout.copies) + "; " : "") +
         rollout.why + "\n";
}

std::string sparkline(const std::deque<double>& values) {
  constexpr const char* kBars[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  double most = 0;
  for (const double value : values) most = std::max(most, value);
  std::string out;
  for (const double value : values) {
    const double height = most > 0 ? value / most * 7 : 0;
    out += kBars[static_cast<size_t>(std::clamp(height + 0.5, 0.0, 7.0))];
  }
  return out;
}

}  // namespace modelmill

#include "cli/experiment_text.h"

#include <simdjson.h>

#include <vector>

#include "cli/json_fields.h"
#include "cli/number_text.h"
#include "cli/text_table.h"

namespace modelmill {
namespace {

using simdjson::dom::element;

std::string count(const element& object, const char* name) {
  return count_text(static_cast<double>(number_of<uint64_t>(object, name)));
}

std::string number(double value) { return number_text("%.4g", value); }

/// A share in percent, or a mean.
std::string level(const element& object) {
  double value = 0;
  if (!object["rate"].get(value)) return number_text("%.2f", 100 * value) + "%";
  return number(number_of<double>(object, "mean"));
}

std::string difference(const element& object) {
  element found;
  if (object["difference"].get(found) != simdjson::SUCCESS || !found.is_object()) return "-";
  double rate = 0;
  const bool is_rate = !object["rate"].get(rate);
  const auto text = [&](const char* name) {
    const double value = number_of<double>(found, name);
    return is_rate ? number_text("%+.2f", 100 * value) : number_text("%+.4g", value);
  };
  return text("value") + " (" + text("low") + " to " + text("high") + ")" + (is_rate ? " pp" : "");
}

std::string decision(const element& experiment) {
  const std::string arm = text_of(experiment, "arm");
  return text_of(experiment, "decision") + (arm.empty() ? "" : " " + arm);
}

/// "the wish of m.yaml:7:5: waiting: ..."; empty where no file wants any.
std::string wish_text(const element& experiment) {
  element wish;
  if (experiment["wish"].get(wish) != simdjson::SUCCESS || !wish.is_object()) return "";
  const std::string why = text_of(wish, "why");
  return "the wish of " + text_of(wish, "place") + ": " + text_of(wish, "state") + (why.empty() ? "" : ": " + why) +
         "\n";
}

std::string head_text(const element& experiment) {
  if (number_of<uint64_t>(experiment, "number") == 0)
    return "no experiment " + text_of(experiment, "name") + " on the route " + text_of(experiment, "route") + " yet\n" +
           wish_text(experiment);
  const std::string unit = text_of(experiment, "unit");
  std::string out = "experiment " + text_of(experiment, "name") + " on the route " + text_of(experiment, "route") +
                    ": " + text_of(experiment, "state") + ", " + decision(experiment) + "\n";
  if (const std::string why = text_of(experiment, "why"); !why.empty()) out += why + "\n";
  if (const std::string arm = text_of(experiment, "deployed"); !arm.empty())
    out +=
        arm + " was deployed at " + text_of(experiment, "ended_at") + " by " + text_of(experiment, "ended_by") + "\n";
  if (const std::string note = text_of(experiment, "note"); !note.empty()) out += note + "\n";
  out += wish_text(experiment);
  element definition;
  if (!experiment["definition"].get(definition))
    out += "goal " + text_of(definition, "goal") + ", by " + unit + ", window " + text_of(definition, "window") + "\n";
  return out;
}

std::string results_text(const element& results) {
  std::vector<TextRow> arms{{"arm", "share", "exposed", "counted", "goal", "difference from control"}};
  for (const element& arm : list_of(results, "arms"))
    arms.push_back({text_of(arm, "arm") + (flag_of(arm, "control") ? " (control)" : ""),
                    number(100 * number_of<double>(arm, "share")) + "%", count(arm, "exposed"), count(arm, "counted"),
                    level(arm), difference(arm)});
  std::string out = "\n" + text_table(arms, 1, 0);
  std::vector<TextRow> guardrails{{"guardrail", "arm", "is", "it has", "difference from control"}};
  for (const element& one : list_of(results, "guardrails"))
    guardrails.push_back(
        {text_of(one, "guardrail"), text_of(one, "arm"), text_of(one, "state"), level(one), difference(one)});
  if (guardrails.size() > 1) out += "\n" + text_table(guardrails, 3, 0);
  out += "\nnow: " + text_of(results, "now") + ": " + text_of(results, "why") + "\n";
  double power = 0;
  if (!results["power"].get(power))
    out += "a difference as large as the margin is found by the planned users with a chance of " +
           number_text("%.0f", 100 * power) + "%\n";
  element counts;
  if (results["counts"].get(counts)) return out;
  out += "windows still open: " + count(results, "waiting") + "; outcomes: " + count(counts, "accepted") +
         " accepted, " + count(counts, "duplicate") + " duplicate, " + count(counts, "unknown") + " of nobody known, " +
         count(counts, "late") + " late\n";
  if (number_of<uint64_t>(counts, "keyless") > 0)
    out += count(counts, "keyless") + " requests had no key, and are not counted\n";
  if (number_of<uint64_t>(counts, "full") > 0)
    out += count(counts, "full") + " requests came when the table of users was full, and are not counted\n";
  return out;
}

}  // namespace

Result<std::string> experiment_list_text(std::string_view json) {
  return text_from(json, [](const element& document) {
    std::vector<TextRow> rows{{"name", "route", "state", "decision", "started", "why"}};
    for (const element& one : list_of(document, "experiments"))
      rows.push_back({text_of(one, "name"), text_of(one, "route"), text_of(one, "state"), decision(one),
                      text_of(one, "started_at"), text_of(one, "why")});
    return rows.size() == 1 ? std::string("the server has had no experiments\n") : text_table(rows, rows[0].size(), 0);
  });
}

Result<std::string> experiment_text(std::string_view json) {
  return text_from(json, [](const element& document) {
    std::string out = head_text(document);
    element results;
    if (!document["results"].get(results) && results.is_object()) out += results_text(results);
    return out;
  });
}

Result<std::string> outcome_counts_text(std::string_view json) {
  return text_from(json, [](const element& counts) {
    return count(counts, "accepted") + " accepted, " + count(counts, "duplicate") + " duplicate, " +
           count(counts, "unknown") + " of nobody known, " + count(counts, "late") + " late" +
           (number_of<uint64_t>(counts, "deferred") > 0 ? ", " + count(counts, "deferred") + " to be judged" : "") +
           "\n";
  });
}

}  // namespace modelmill

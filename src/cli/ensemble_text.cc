#include "cli/ensemble_text.h"

#include <simdjson.h>

#include <vector>

#include "cli/json_fields.h"
#include "cli/number_text.h"
#include "cli/text_table.h"

namespace modelmill {
namespace {

using simdjson::dom::element;

std::string number(const element& object, const char* name) {
  double value = 0;
  return object[name].get(value) ? "-" : number_text("%.4g", value);
}

std::string count(const element& object, const char* name) {
  return count_text(static_cast<double>(number_of<uint64_t>(object, name)));
}

std::string state(const element& one) {
  if (flag_of(one, "frozen")) return "frozen";
  return flag_of(one, "learns") ? "learns" : "set";
}

/// "12 counted, 1 duplicate, 0 unknown, 0 frozen"
std::string counts(const element& object) {
  std::string out;
  for (const char* name : {"counted", "duplicate", "unknown", "frozen"})
    out += (out.empty() ? "" : ", ") + count(object, name) + " " + name;
  return out;
}

}  // namespace

Result<std::string> ensemble_list_text(std::string_view json) {
  return text_from(json, [](const element& document) {
    std::vector<TextRow> rows{{"NAME", "COMBINE", "WEIGHTS", "MEMBERS"}};
    for (const element& one : list_of(document, "ensembles")) {
      std::string members;
      for (const element& member : list_of(one, "members"))
        members += (members.empty() ? "" : ", ") + text_of(member, "member") + " " + number(member, "weight");
      rows.push_back({clipped(text_of(one, "name"), 0), text_of(one, "combine"), state(one), clipped(members, 0)});
    }
    return rows.size() == 1 ? std::string("the server has no ensembles whose members have weights\n")
                            : text_table(rows, rows[0].size(), 0);
  });
}

Result<std::string> ensemble_weights_text(std::string_view json) {
  return text_from(json, [](const element& one) {
    std::string out = clipped(text_of(one, "name"), 0) + ": " + text_of(one, "combine") + " of '" +
                      clipped(text_of(one, "output"), 0) + "', weights " + state(one) + "\n";
    if (flag_of(one, "learns"))
      out +=
          "rate " + number(one, "rate") + ", floor " + number(one, "floor") + ", loss " + text_of(one, "loss") + "\n";
    if (const std::string by = text_of(one, "changed_by"); !by.empty())
      out += "changed at " + text_of(one, "changed_at") + " by " + clipped(by, 0) + "\n";
    std::vector<TextRow> rows{{"MEMBER", "WEIGHT", "CONFIGURED", "LOSS"}};
    for (const element& member : list_of(one, "members"))
      rows.push_back({clipped(text_of(member, "member"), 0), number(member, "weight"), number(member, "configured"),
                      number(member, "mean_loss")});
    out += text_table(rows, 1, 0);
    element feedback;
    if (!flag_of(one, "learns") || one["feedback"].get(feedback) != simdjson::SUCCESS) return out;
    return out + "feedback: " + counts(feedback) + "; " + count(one, "remembered") + " answers remembered\n";
  });
}

Result<std::string> feedback_counts_text(std::string_view json) {
  return text_from(json, [](const element& document) {
    std::string ids;
    for (const element& id : list_of(document, "unknown_ids")) {
      std::string_view text;
      if (id.get(text) == simdjson::SUCCESS) ids += (ids.empty() ? "" : ", ") + clipped(std::string(text), 0);
    }
    return counts(document) + "\n" + (ids.empty() ? "" : "unknown: " + ids + "\n");
  });
}

}  // namespace modelmill

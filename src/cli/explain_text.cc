#include "cli/explain_text.h"

#include <simdjson.h>

#include <algorithm>
#include <string_view>
#include <vector>

#include "base/size_text.h"
#include "cli/json_fields.h"
#include "cli/number_text.h"
#include "cli/text_table.h"

namespace modelmill {
namespace {

using simdjson::dom::element;

element part_of(const element& object, const char* name) {
  element part;
  return object[name].get(part) ? object : part;
}

void append_line(std::string& out, const std::string& label, const std::string& text) {
  out += "  " + label + std::string(label.size() < 12 ? 12 - label.size() : 1, ' ') + clipped(text, 0) + "\n";
}

/// "reader (ocr@stable, ocr@canary)"; empty: nothing but its name leads to the model.
std::string routes_text(const element& document) {
  std::string out;
  for (const element& route : list_of(document, "routes")) {
    std::string arms;
    for (const element& arm : list_of(route, "arms")) {
      std::string_view name;
      if (arm.get(name) == simdjson::SUCCESS) arms += (arms.empty() ? "" : ", ") + clipped(std::string(name), 0);
    }
    out += (out.empty() ? "" : "; ") + clipped(text_of(route, "name"), 0) + " (" + arms + ")";
  }
  return out;
}

std::string batching_text(const element& batching) {
  const std::string policy = text_of(batching, "policy");
  const double rows = number_of<double>(batching, "max_rows");
  const std::string why = text_of(batching, "unbatched_reason");
  if (rows <= 1) return policy + (why.empty() ? "" : ": " + why);
  std::string out = policy + ", up to " + count_text(rows) + " rows";
  const element gathering = part_of(batching, "gathering");
  if (const double waited = number_of<double>(gathering, "batches"); waited > 0)
    out += "; " + count_text(waited) + " batches waited a moment for up to " +
           count_text(number_of<double>(gathering, "in_flight")) + " rows, " +
           count_text(number_of<double>(gathering, "in_vain")) + " of them in vain";
  return out;
}

/// "2, 1 busy; from 1 to 4 by the load, last changed: ..."
std::string instances_text(const element& instances) {
  std::string out = count_text(number_of<double>(instances, "count")) + ", " +
                    count_text(number_of<double>(instances, "busy")) + " busy";
  if (const double most = number_of<double>(instances, "max"); most > 0) {
    out += "; from " + count_text(number_of<double>(instances, "min")) + " to " + count_text(most) + " by the load";
    if (const double idle = number_of<double>(instances, "zero_after_us"); idle > 0)
      out += ", none after " + time_text(idle) + " without a request";
    if (const std::string last = text_of(instances, "last_change"); !last.empty()) out += "; last change: " + last;
  }
  return out;
}

/// "75% of 1,200 requests were answered out of the response cache"
std::string cache_text(double hits, double misses) {
  const double all = hits + misses;
  if (all == 0) return "no request has asked it yet";
  return number_text("%.0f", 100 * hits / all) + "% of " + count_text(all) +
         " requests were answered out of the response cache";
}

/// "256.0 MiB of this model; 512.0 MiB of a budget of 1.0 GiB are held"
std::string device_text(const element& use) {
  const auto bytes = [&use](const char* name) {
    return bytes_text(static_cast<uint64_t>(number_of<double>(use, name)));
  };
  const bool bounded = number_of<double>(use, "budget_bytes") > 0;
  return bytes("bytes") + " of this model; " + bytes("held_bytes") +
         (bounded ? " of a budget of " + bytes("budget_bytes") + " are held" : " are held, without a bound");
}

std::string loop_text(const std::string& state) {
  if (state == "allowed") return "small batches run on the loop that received them, without another thread";
  if (state == "warming") return "not yet known whether small batches may run on it";
  if (state == "suspended") return "not used for now: batches took too long for it";
  return "not used";
}

/// What the objective chooses from, and what it chose.
std::string objective_text(const element& objective) {
  std::string out = "\nInstances under the objective, while " +
                    count_text(number_of<double>(objective, "arrivals_per_second")) + " rows/s come\n";
  std::vector<TextRow> rows = {{"", "INSTANCES", "BATCH", "DELAY", "EXECUTION", "ROWS/S", "P99", "KNOWN"}};
  const double chosen = number_of<double>(part_of(objective, "plan"), "instances");
  for (const element& option : list_of(objective, "options")) {
    const double instances = number_of<double>(option, "instances"), p99 = number_of<double>(option, "p99_us");
    const element from = instances == chosen ? part_of(objective, "plan") : option;
    rows.push_back({"", count_text(instances), count_text(number_of<double>(from, "batch_rows")),
                    time_text(number_of<double>(from, "delay_us")), time_text(number_of<double>(from, "execution_us")),
                    count_text(number_of<double>(from, "rows_per_second")), p99 > 0 ? time_text(p99) : "-",
                    std::string(flag_of(option, "measured") ? "measured" : "at worst") +
                        (flag_of(option, "holds") ? "" : ", misses it")});
  }
  out += text_table(rows, 1, 0);
  const std::string last = text_of(objective, "last_change");
  return last.empty() ? out : out + "  last change: " + clipped(last, 0) + "\n";
}

std::string learned_text(const element& cost) {
  const std::string inputs = text_of(cost, "inputs");
  std::string out =
      "\nExecutions on " + text_of(cost, "device") + (inputs.empty() ? "" : ", inputs " + clipped(inputs, 0)) + "\n";
  std::vector<TextRow> rows = {{"", "ROWS", "MEAN", "P99", "ROWS/S", "EXECUTIONS"}};
  for (const element& size : list_of(cost, "sizes")) {
    const double mean_us = number_of<double>(size, "mean_us");
    const double count = number_of<double>(size, "rows");
    rows.push_back({"", number_text("%.1f", count), time_text(mean_us), time_text(number_of<double>(size, "p99_us")),
                    mean_us > 0 ? count_text(1e6 * count / mean_us) : "-",
                    count_text(number_of<double>(size, "executions"))});
  }
  out += text_table(rows, 1, 0);
  const double best = number_of<double>(cost, "best_rows");
  out += "  best: " + count_text(best) + (best == 1 ? " row" : " rows") + " together, " +
         number_text("%.1f", number_of<double>(cost, "gain")) + "x the rate of one; the next batch has at most " +
         count_text(number_of<double>(cost, "next_limit")) +
         (flag_of(cost, "explored") ? "\n" : ", larger ones are still to be tried\n");
  return out;
}

std::string layout_of(const element& layout) {
  const double instances = number_of<double>(layout, "instances"), threads = number_of<double>(layout, "threads");
  const std::string precision = text_of(layout, "precision");
  return clipped(text_of(layout, "backend"), 0) + (precision.empty() ? "" : " in " + clipped(precision, 0)) + ", " +
         count_text(instances) + " x " + count_text(threads) + (threads == 1 ? " thread" : " threads");
}

/// The rate at a size of batch; "-" where it was not measured.
std::string rate_at(const element& candidate, double rows) {
  for (const element& size : list_of(candidate, "sizes"))
    if (number_of<double>(size, "rows") == rows) return count_text(number_of<double>(size, "rows_per_second"));
  return "-";
}

std::string runtimes_text(const element& runtimes) {
  std::vector<double> sizes;
  const std::vector<element> candidates = list_of(runtimes, "candidates");
  for (const element& candidate : candidates)
    for (const element& size : list_of(candidate, "sizes"))
      if (const double rows = number_of<double>(size, "rows");
          std::find(sizes.begin(), sizes.end(), rows) == sizes.end())
        sizes.push_back(rows);
  std::sort(sizes.begin(), sizes.end());
  std::string out = "\nRuntimes, in rows a second by the rows of a batch; answers may differ by " +
                    number_text("%.1g", number_of<double>(runtimes, "tolerance")) + " of the largest value\n";
  std::vector<TextRow> rows = {{"", "LAYOUT", "DIFFER"}};
  for (const double size : sizes) rows.front().push_back(count_text(size));
  std::string notes;
  for (const element& candidate : candidates) {
    const std::string excluded = text_of(candidate, "excluded");
    TextRow row = {"", layout_of(candidate),
                   excluded.empty() ? number_text("%.1g", number_of<double>(candidate, "distance")) : "out"};
    for (const double size : sizes) row.push_back(rate_at(candidate, size));
    rows.push_back(std::move(row));
    if (!excluded.empty()) notes += "  " + layout_of(candidate) + " is out: " + clipped(excluded, 0) + "\n";
    if (const std::string seen = text_of(candidate, "seen"); !seen.empty())
      notes += "  " + layout_of(candidate) + ", when it took over: " + clipped(seen, 0) + "\n";
  }
  return out + text_table(rows, 3, 0) + notes + "  " + layout_of(part_of(runtimes, "chosen")) +
         " was chosen: " + clipped(text_of(runtimes, "reason"), 0) + "\n";
}

/// How an entry point runs, in lines with a label.
std::string running_text(const element& entry) {
  std::string out;
  const element batching = part_of(entry, "batching");
  append_line(out, "batching", batching_text(batching));
  if (const double objective = number_of<double>(batching, "objective_p99_us"); objective > 0)
    append_line(out, "objective", "99 of 100 requests within " + time_text(objective));
  const element instances = part_of(entry, "instances");
  append_line(out, "instances", instances_text(instances));
  if (const std::string why = text_of(instances, "held_back"); !why.empty())
    append_line(out, "held back", "no further instance: " + why);
  for (const element& use : list_of(entry, "devices"))
    append_line(out, "gpu " + count_text(number_of<double>(use, "gpu")), device_text(use));
  append_line(out, "waiting", count_text(number_of<double>(entry, "pending")) + " requests");
  if (const element cache = part_of(entry, "response_cache"); flag_of(cache, "on"))
    append_line(out, "cache", cache_text(number_of<double>(cache, "hits"), number_of<double>(cache, "misses")));
  append_line(out, "event loop", loop_text(text_of(entry, "on_loop")));
  return out;
}

std::string advice_text(const element& entry) {
  std::string out;
  for (const element& one : list_of(entry, "advice")) {
    std::string_view sentence;
    if (!one.get(sentence)) out += "- " + clipped(std::string(sentence), 0) + "\n";
  }
  return out.empty() ? out : "\n" + out;
}

/// "x FP32[-1,4], y INT64[-1]".
std::string tensors_text(const element& entry, const char* name) {
  std::string out;
  for (const element& tensor : list_of(entry, name)) {
    std::string sizes;
    for (const element& size : list_of(tensor, "shape")) {
      int64_t number = 0;
      if (!size.get(number)) sizes += (sizes.empty() ? "" : ",") + std::to_string(number);
    }
    out += (out.empty() ? "" : ", ") + clipped(text_of(tensor, "name"), 0) + " " + text_of(tensor, "datatype") + "[" +
           sizes + "]";
  }
  return out;
}

/// One that is asked by its name only.
std::string signature_text(const element& entry) {
  const std::string summary = text_of(entry, "summary");
  std::string out = "\nSignature " + clipped(text_of(entry, "name"), 0) + ": " +
                    (summary.empty() ? "nothing has been learned yet" : clipped(summary, 0)) + "\n";
  append_line(out, "inputs", tensors_text(entry, "inputs"));
  append_line(out, "outputs", tensors_text(entry, "outputs"));
  out += running_text(entry);
  for (const element& cost : list_of(entry, "learned")) out += learned_text(cost);
  return out + advice_text(entry);
}

std::string texts_of(const element& document, const char* name, const char* label) {
  std::string out;
  for (const element& entry : list_of(document, name)) {
    std::string_view text;
    if (entry.get(text) == simdjson::SUCCESS) append_line(out, label, std::string(text));
  }
  return out;
}

/// "forest 0.62, net 0.38"
std::string weights_text(const element& ensemble) {
  simdjson::dom::object weights;
  if (ensemble["weights"].get(weights) != simdjson::SUCCESS) return "";
  std::string out;
  for (const auto& [member, value] : weights) {
    double weight = 0;
    if (value.get(weight) == simdjson::SUCCESS)
      out += (out.empty() ? "" : ", ") + clipped(std::string(member), 0) + " " + number_text("%.4g", weight);
  }
  return out;
}

/// An ensemble has neither a queue nor instances; what it has are its members.
std::string ensemble_text(const element& document, const element& ensemble) {
  std::string out = clipped(text_of(document, "model"), 0) + " version " +
                    count_text(number_of<double>(document, "version")) + ": an ensemble\n\n";
  if (const std::string combination = text_of(ensemble, "combination"); !combination.empty())
    append_line(out, "combines", combination);
  out += texts_of(ensemble, "steps", "member");
  if (const std::string weights = weights_text(ensemble); !weights.empty()) append_line(out, "weights", weights);
  if (const std::string routes = routes_text(document); !routes.empty()) append_line(out, "routes", routes);
  return out + texts_of(document, "advice", "advice");
}

}  // namespace

Result<std::string> explain_text(const std::string& json) {
  simdjson::dom::parser parser;
  element document;
  if (parser.parse(json).get(document) || !document.is_object() || text_of(document, "model").empty())
    return internal("the server's explanation is not what modelmill tells; is it another kind of server?");
  element ensemble;
  if (document["ensemble"].get(ensemble) == simdjson::SUCCESS) return ensemble_text(document, ensemble);
  const std::string summary = text_of(document, "summary");
  std::string out = clipped(text_of(document, "model"), 0) + " version " +
                    count_text(number_of<double>(document, "version")) + ": " +
                    (summary.empty() ? "nothing has been learned yet" : clipped(summary, 0)) + "\n\n";
  if (const std::string backend = text_of(document, "backend"); !backend.empty()) append_line(out, "backend", backend);
  if (const std::string name = text_of(document, "signature"); !name.empty()) append_line(out, "signature", name);
  if (const std::string routes = routes_text(document); !routes.empty()) append_line(out, "routes", routes);
  out += running_text(document);
  if (element objective; !document["objective"].get(objective)) out += objective_text(objective);
  for (const element& cost : list_of(document, "learned")) out += learned_text(cost);
  if (element runtimes; !document["runtimes"].get(runtimes)) out += runtimes_text(runtimes);
  out += advice_text(document);
  for (const element& entry : list_of(document, "signatures")) out += signature_text(entry);
  return out;
}

}  // namespace modelmill

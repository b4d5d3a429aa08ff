#include "catalog/explanation.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace modelmill {
namespace {

/// Two digits are all that a measurement under way is worth: "13", "1.3", "40k", "3.8M".
std::string rough(double value) {
  constexpr const char* kUnits[] = {"", "k", "M", "G"};
  size_t unit = 0;
  for (; value >= 999.5 && unit + 1 < std::size(kUnits); ++unit) value /= 1000;
  char text[32];
  std::snprintf(text, sizeof text, value < 9.95 && (unit > 0 || value != std::floor(value)) ? "%.1f" : "%.0f", value);
  return std::string(text) + kUnits[unit];
}

/// The one with the most executions.
const ExplainedCost* main_cost(const Explanation& explanation) {
  const ExplainedCost* most = nullptr;
  int64_t best = 0;
  for (const ExplainedCost& cost : explanation.costs) {
    int64_t executions = 0;
    for (const CostPoint& point : cost.cost.points) executions += point.executions;
    if (executions > best) most = &cost, best = executions;
  }
  return most;
}

/// "1, 4, 16 rows"
std::string sizes_text(const LearnedCost& cost) {
  std::string text;
  for (const CostPoint& point : cost.points)
    text += (text.empty() ? "" : ", ") + std::to_string(std::llround(point.rows));
  return text + (text == "1" ? " row" : " rows");
}

constexpr double kPays = 1.05;

}  // namespace

std::string learned_line(const Explanation& explanation) {
  const ExplainedCost* cost = main_cost(explanation);
  if (!cost || cost->rate <= 0) return "";
  std::string line;
  if (explanation.max_rows > 1 && cost->explored)
    line = cost->gain >= kPays ? "batching pays " + rough(cost->gain) + "x; " : "batching does not pay; ";
  else if (cost->worth > 1)
    line =
        "batching up to " + std::to_string(cost->worth) + " rows pays " + rough(cost->gain) + "x, more is not known; ";
  line += "about " + rough(cost->rate * explanation.instances) + " rows/s on " + std::to_string(explanation.instances) +
          (explanation.instances == 1 ? " instance" : " instances");
  if (!cost->cost.shapes.empty()) line += ", of inputs " + cost->cost.shapes;
  if (explanation.policy == "allowed sizes") line += ", known in batches of " + sizes_text(cost->cost);
  return line;
}

std::vector<std::string> advice(const Explanation& explanation, const ModelDefinition& definition) {
  std::vector<std::string> out;
  if (definition.response_cache && !explanation.cached)
    out.push_back(explanation.combination.empty()
                      ? "its answers would be kept, but the server has no response cache; --response-cache-bytes gives "
                        "it one"
                      : "its answers are not kept: those of a combination are where all of its members must answer and "
                        "none has a weight, in a server with --response-cache-bytes");
  if (!explanation.steps.empty()) {
    out.push_back("requests run on its members, which batch them with everybody else's; explain those");
    return out;
  }
  if (explanation.max_rows <= 1) {
    out.push_back(definition.unbatched_reason.empty() ? "requests run alone, as configured"
                                                      : "requests run alone: " + definition.unbatched_reason);
    return out;
  }
  if (explanation.policy == "delay window")
    out.push_back(
        "batches are made as preferred_batch_size and max_queue_delay_microseconds say; without them the server would "
        "go by what it learned");
  if (explanation.policy == "allowed sizes") {
    out.push_back(
        "batches are filled up to a size of allowed_batch_sizes; without it the server would go by what it learned");
    return out;
  }
  const ExplainedCost* cost = main_cost(explanation);
  if (!cost) {
    out.push_back("nothing has been learned yet: send requests");
    return out;
  }
  if (!cost->explored) {
    out.push_back("larger batches than " + std::to_string(cost->worth) +
                  " rows have not been tried: more requests must wait at the same time for that");
  } else if (cost->worth == 1) {
    out.push_back("rows together are no faster than alone, so each request runs by itself");
  } else if (cost->worth >= explanation.max_rows) {
    out.push_back("the largest allowed batch is the best known; a larger max_batch_size may give more");
  } else {
    out.push_back("more than " + std::to_string(cost->worth) + " rows together bring nothing, so batches stop there");
  }
  if (explanation.objective > Duration{} && cost->limit < cost->worth)
    out.push_back("the latency objective keeps batches below the best size; a longer one would give more throughput");
  return out;
}

}  // namespace modelmill

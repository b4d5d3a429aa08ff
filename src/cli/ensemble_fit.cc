#include "cli/ensemble_fit.h"

#include <simdjson.h>

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json_text.h"
#include "cli/input_text.h"
#include "cli/json_fields.h"
#include "cli/model_info.h"
#include "cli/number_text.h"
#include "cli/text_table.h"
#include "learning/weight_fit.h"

namespace modelmill {
namespace {

using simdjson::dom::element;

struct Member {
  std::string name;            // "boosted@2"
  std::string model, version;  // version: a number or label; empty: the default one
  double weight = 0;
  Signature signature;
};

struct Ensemble {
  Combiner combiner = Combiner::kWeighted;
  std::string output;
  std::vector<Member> members;
};

Result<Ensemble> read_ensemble(ServerLink& link, const std::string& name) {
  MM_ASSIGN_OR_RETURN(const std::string json,
                      body_of(link.call("GET", model_path("/admin/ensembles", name, ""), {}, {})));
  simdjson::dom::parser parser;
  element document;
  Ensemble out;
  if (!parser.parse(json).get(document)) {
    out.output = text_of(document, "output");
    out.combiner = parse_combiner(text_of(document, "combine")).value_or(Combiner::kWeighted);
    for (const element& one : list_of(document, "members")) {
      Member member{text_of(one, "member"), "", "", number_of<double>(one, "weight"), {}};
      const size_t at = member.name.find('@');
      member.model = member.name.substr(0, at);
      if (at != std::string::npos) member.version = member.name.substr(at + 1);
      out.members.push_back(std::move(member));
    }
  }
  if (out.members.empty() || out.output.empty())
    return internal("the server's answer is not understood; use the release of the server");
  for (Member& member : out.members) {
    MM_ASSIGN_OR_RETURN(ModelInfo info, read_metadata(link, member.model, member.version));
    member.signature = std::move(info.signature);
  }
  return out;
}

/// Lists of any depth are one after the other.
bool flatten(const element& value, Label& into) {
  simdjson::dom::array list;
  if (value.get(list) == simdjson::SUCCESS) {
    for (const element one : list)
      if (!flatten(one, into)) return false;
    return true;
  }
  bool flag = false;
  int64_t whole = 0;
  double real = 0;
  std::string_view text;
  if (value.get(flag) == simdjson::SUCCESS)
    into.emplace_back(int64_t{flag});
  else if (value.get(whole) == simdjson::SUCCESS)
    into.emplace_back(whole);
  else if (value.get(real) == simdjson::SUCCESS)
    into.emplace_back(real);
  else if (value.get(text) == simdjson::SUCCESS)
    into.emplace_back(std::string(text));
  else
    return false;
  return true;
}

/// What the member says to those of the inputs that it has.
Result<Label> ask_member(ServerLink& link, const Member& member, const simdjson::dom::object& inputs,
                         const std::string& output) {
  JsonWriter body;
  body.begin_object();
  for (const auto& [name, value] : inputs)
    if (member.signature.input(name) != nullptr) body.key(name).raw(std::string(simdjson::minify(value)));
  body.end_object();
  MM_ASSIGN_OR_RETURN(
      const std::string answer,
      body_of(link.call("POST", model_path("/predict", member.model, member.version),
                        {{"content-type", "application/json"}, {"accept", "application/json"}}, body.take())));
  simdjson::dom::parser parser;
  element document, value;
  Label out;
  if (parser.parse(answer).get(document) || document[output].get(value) || !flatten(value, out))
    return invalid_argument("member '" + member.name + "' gave no output '" + output +
                            "' of numbers or texts: " + answer.substr(0, 200));
  return out;
}

Status add_line(ServerLink& link, const Ensemble& ensemble, std::string_view line, LabelledAnswers& labelled) {
  simdjson::dom::parser parser;
  element document, label;
  simdjson::dom::object inputs;
  Label truth;
  if (parser.parse(line.data(), line.size()).get(document) || document["inputs"].get(inputs) ||
      document["label"].get(label) || !flatten(label, truth))
    return invalid_argument(
        "it must be JSON such as {\"inputs\": {\"x\": [[1, 2]]}, \"label\": 3}, with inputs as /predict takes them");
  std::vector<Label> answers;
  for (const Member& member : ensemble.members) {
    auto answer = ask_member(link, member, inputs, ensemble.output);
    if (!answer.ok()) return answer.status().with_context("member '" + member.name + "'");
    answers.push_back(*std::move(answer));
  }
  return labelled.add(answers, truth);
}

Status read_labelled(ServerLink& link, const Ensemble& ensemble, const std::string& source, LabelledAnswers& labelled) {
  MM_ASSIGN_OR_RETURN(const std::string text, input_text(source, "name a file that has inputs and labels, one a line"));
  size_t number = 0;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view line = std::string_view(text).substr(begin, end - begin);
    begin = end + 1;
    ++number;
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    if (const Status status = add_line(link, ensemble, line, labelled); !status.ok())
      return status.with_context(source + ":" + std::to_string(number));
  }
  if (labelled.rows() > 0) return ok_status();
  return invalid_argument("'" + source + "' has no lines with inputs and labels");
}

std::string weights_json(const Ensemble& ensemble, const std::vector<double>& weights) {
  JsonWriter json;
  json.begin_object().key("weights").begin_object();
  for (size_t i = 0; i < weights.size(); ++i) json.field(ensemble.members[i].name, weights[i]);
  json.end_object().end_object();
  return json.take();
}

std::string fit_json(const Ensemble& ensemble, const FittedWeights& fitted, const char* loss, bool applied) {
  JsonWriter json;
  json.begin_object().field("rows", uint64_t{fitted.rows}).field("loss", loss);
  json.field("before", fitted.before).field("after", fitted.after).field("applied", applied);
  json.key("members").begin_array();
  for (size_t i = 0; i < ensemble.members.size(); ++i)
    json.begin_object()
        .field("member", ensemble.members[i].name)
        .field("before", ensemble.members[i].weight)
        .field("weight", fitted.weights[i])
        .field("loss", fitted.alone[i])
        .end_object();
  json.end_array().end_object();
  return json.take() + "\n";
}

std::string fit_text(const Ensemble& ensemble, const FittedWeights& fitted, const std::string& loss, bool applied) {
  const auto number = [](double value) { return number_text("%.4g", value); };
  std::vector<TextRow> rows{{"MEMBER", "BEFORE", "WEIGHT", "LOSS"}};
  for (size_t i = 0; i < ensemble.members.size(); ++i)
    rows.push_back({clipped(ensemble.members[i].name, 0), number(ensemble.members[i].weight), number(fitted.weights[i]),
                    number(fitted.alone[i])});
  return text_table(rows, 1, 0) + loss + " of " + counted(fitted.rows, "row") + ": " + number(fitted.before) +
         " before, " + number(fitted.after) + " after\n" +
         (applied ? "the weights are in force\n" : "add --apply to put the weights in force\n");
}

}  // namespace

Result<std::string> fit_ensemble(const EnsembleCommand& command, ServerLink& link) {
  MM_ASSIGN_OR_RETURN(const Ensemble ensemble, read_ensemble(link, command.name));
  LabelledAnswers labelled(ensemble.combiner, ensemble.members.size());
  MM_RETURN_IF_ERROR(read_labelled(link, ensemble, command.source, labelled));
  std::vector<double> before;
  for (const Member& member : ensemble.members) before.push_back(member.weight);
  const FittedWeights fitted = labelled.fit(before);
  if (command.apply)
    MM_RETURN_IF_ERROR(
        body_of(link.call("POST", model_path("/admin/ensembles", command.name, "") + "/weights",
                          {{"Content-Type", "application/json"}}, weights_json(ensemble, fitted.weights)))
            .status());
  return command.json ? fit_json(ensemble, fitted, labelled.loss_text(), command.apply)
                      : fit_text(ensemble, fitted, labelled.loss_text(), command.apply);
}

}  // namespace modelmill

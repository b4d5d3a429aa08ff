#include "model/graph/graph_document.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <array>
#include <limits>
#include <map>
#include <set>
#include <utility>

#include "model/graph/graph_limits.h"
#include "model/graph/service_url.h"
#include "model/spelling.h"
#include "model/yaml_check.h"

namespace modelmill {
namespace {

using Form = YamlRule::Form;

constexpr std::string_view kGraphKind = "InferenceGraph";
constexpr std::string_view kGraphApiGroup = "serving.kserve.io/";
constexpr std::string_view kGraphApiVersion = "serving.kserve.io/v1alpha1";

constexpr YamlRule kGraphText{.form = Form::kText};
constexpr YamlRule kGraphSwitch{.form = Form::kSwitch};
constexpr YamlRule kGraphWeight{.form = Form::kNumber, .least = 0, .most = 100};
constexpr YamlRule kGraphSeconds{.form = Form::kNumber, .least = 0, .most = 86'400};
constexpr std::array<std::string_view, 2> kGraphDependencies{"Soft", "Hard"};
constexpr YamlRule kGraphDependency{.form = Form::kChoice, .choices = kGraphDependencies};
constexpr std::array<std::string_view, 4> kGraphRouters{"Sequence", "Splitter", "Ensemble", "Switch"};
constexpr YamlRule kGraphRouter{.form = Form::kChoice, .choices = kGraphRouters};
constexpr std::array kGraphStepKeys{
    YamlKey{"name", &kGraphText, ""},
    YamlKey{"nodeName", &kGraphText, ""},
    YamlKey{"serviceName", &kGraphText, ""},
    YamlKey{"serviceUrl", &kGraphText, ""},
    YamlKey{"data", &kGraphText, ""},
    YamlKey{"mapPredictionsToInstances", &kGraphSwitch, ""},
    YamlKey{"weight", &kGraphWeight, ""},
    YamlKey{"condition", &kGraphText, ""},
    YamlKey{"dependency", &kGraphDependency, ""},
};
constexpr YamlRule kGraphStep{.form = Form::kGroup, .keys = kGraphStepKeys};
constexpr YamlRule kGraphSteps{.form = Form::kList, .least = 1, .item = &kGraphStep};
constexpr std::array kGraphNodeKeys{
    YamlKey{"routerType", &kGraphRouter, "", true},
    YamlKey{"steps", &kGraphSteps, "", true},
};
constexpr YamlRule kGraphNode{.form = Form::kGroup, .keys = kGraphNodeKeys};
constexpr YamlRule kGraphNodes{.form = Form::kMap, .item = &kGraphNode};
constexpr std::array kGraphTimeoutKeys{
    YamlKey{"serverRead", &kGraphSeconds, ""},
    YamlKey{"serverWrite", &kGraphSeconds, ""},
    YamlKey{"serverIdle", &kGraphSeconds, ""},
    YamlKey{"serviceClient", &kGraphSeconds, ""},
};
constexpr YamlRule kGraphTimeouts{.form = Form::kGroup, .keys = kGraphTimeoutKeys};

constexpr std::array<std::string_view, 10> kOfKubernetes{
    "resources",   "affinity",    "minReplicas",  "maxReplicas", "scaleTarget",
    "scaleMetric", "tolerations", "nodeSelector", "nodeName",    "serviceAccountName"};

bool is_graph_name(std::string_view name) {
  const auto is_letter = [](char c) { return c >= 'a' && c <= 'z'; };
  const auto is_known = [&](char c) { return is_letter(c) || (c >= '0' && c <= '9') || c == '-'; };
  return !name.empty() && is_letter(name.front()) && name.back() != '-' &&
         std::all_of(name.begin(), name.end(), is_known);
}

std::string text_of(const YAML::Node& value) { return value.IsDefined() && value.IsScalar() ? value.Scalar() : ""; }

Duration seconds_of(const YAML::Node& value) {
  return std::chrono::seconds(value.IsDefined() ? yaml_number(value).value_or(0) : 0);
}

/// Reads one object of the kind InferenceGraph.
class Reader {
 public:
  Reader(const std::string& file, GraphDocuments& out) : file_(file), out_(out) {}

  void read(const YAML::Node& root) {
    const size_t before = out_.problems.size();
    read_object(root, before);
    if (out_.problems.size() != before && !graph_.name.empty())
      out_.wrong.emplace(graph_.name, out_.problems[before].message);
  }

 private:
  void read_object(const YAML::Node& root, size_t before) {
    graph_.place = place(root);
    if (const YAML::Node version = root["apiVersion"]; text_of(version) != kGraphApiVersion)
      wrong(version.IsDefined() ? version : root, "an InferenceGraph of apiVersion '" + text_of(version) +
                                                      "' is not known; write it as " + std::string(kGraphApiVersion));
    read_name(root);
    const YAML::Node spec = root["spec"];
    if (!spec.IsDefined() || !spec.IsMap()) return wrong(root, "'spec' is missing; it is a group with the key nodes");
    check_spec(spec);
    const YAML::Node nodes = spec["nodes"];
    if (!nodes.IsDefined()) return wrong(spec, "'spec.nodes' is missing; it is names, each with routerType and steps");
    check_yaml(nodes, kGraphNodes, "spec.nodes", file_, out_.problems);
    if (out_.problems.size() != before) return;
    graph_.timeout = seconds_of(spec["timeout"]);
    if (const YAML::Node timeouts = spec["routerTimeouts"]; timeouts.IsDefined())
      graph_.step_timeout = seconds_of(timeouts["serviceClient"]);
    read_nodes(nodes);
    if (out_.problems.size() != before) return;
    if (auto problem = check_graph_size(graph_))
      out_.problems.push_back(*std::move(problem));
    else
      out_.graphs.push_back(std::move(graph_));
  }

  std::string place(const YAML::Node& value) const { return yaml_place(file_, value.Mark()); }
  void wrong(const YAML::Node& value, std::string message) {
    out_.problems.push_back({Code::kInvalidArgument, place(value), std::move(message)});
  }
  void without_effect(const YAML::Node& key, const std::string& why) {
    out_.notes.push_back({Code::kOk, place(key), "'" + key.Scalar() + "' has no effect: " + why});
  }
  std::string in_graph() const { return "graph '" + graph_.name + "': "; }

  void read_name(const YAML::Node& root) {
    const YAML::Node metadata = root["metadata"];
    const YAML::Node name = metadata.IsDefined() && metadata.IsMap() ? metadata["name"] : YAML::Node();
    graph_.name = text_of(name);
    if (graph_.name.empty())
      wrong(root, "'metadata.name' is missing; the graph is asked for by it");
    else if (!is_graph_name(graph_.name))
      wrong(name, "a graph can't be named '" + graph_.name +
                      "': names have lower case letters, digits and '-', begin with a letter and don't end with '-'");
  }

  void check_spec(const YAML::Node& spec) {
    static const std::vector<std::string> kKnown{"nodes", "timeout", "routerTimeouts"};
    for (const auto& entry : spec) {
      const std::string key = text_of(entry.first);
      if (std::find(kOfKubernetes.begin(), kOfKubernetes.end(), key) != kOfKubernetes.end()) {
        without_effect(entry.first, "the graph runs in this server, which Kubernetes places as a whole");
      } else if (key == "timeout") {
        check_yaml(entry.second, kGraphSeconds, "spec.timeout", file_, out_.problems);
      } else if (key == "routerTimeouts") {
        check_yaml(entry.second, kGraphTimeouts, "spec.routerTimeouts", file_, out_.problems);
        for (const auto& inside : entry.second.IsMap() ? entry.second : YAML::Node(YAML::NodeType::Map))
          if (const std::string name = text_of(inside.first); name.starts_with("server"))
            without_effect(inside.first, "this server's own limits hold for its connections");
      } else if (key != "nodes") {
        const std::string meant = nearest(key, kKnown);
        wrong(entry.first, "unknown key '" + key + "' in spec" +
                               (meant.empty() ? "; there are nodes, timeout, routerTimeouts and what Kubernetes reads"
                                              : "; did you mean '" + meant + "'?"));
      }
    }
  }

  void read_nodes(const YAML::Node& nodes) {
    std::map<std::string, size_t> numbers;
    for (const auto& entry : nodes) {
      numbers.emplace(entry.first.Scalar(), graph_.nodes.size());
      GraphNode& node = graph_.nodes.emplace_back();
      node.name = entry.first.Scalar();
      node.place = place(entry.first);
      const auto router = std::find(kGraphRouters.begin(), kGraphRouters.end(), entry.second["routerType"].Scalar());
      constexpr std::array kOf{GraphRouter::kSequence, GraphRouter::kSplitter, GraphRouter::kEnsemble,
                               GraphRouter::kSwitch};
      node.router = kOf[static_cast<size_t>(router - kGraphRouters.begin())];
    }
    const auto root = numbers.find("root");
    if (root == numbers.end())
      return wrong(nodes, in_graph() + "there is no node named 'root', which requests begin at");
    graph_.root = root->second;
    size_t index = 0;
    for (const auto& entry : nodes) read_steps(entry.second["steps"], numbers, graph_.nodes[index++]);
  }

  void read_steps(const YAML::Node& steps, const std::map<std::string, size_t>& numbers, GraphNode& node) {
    std::set<std::string> names;
    int weights = 0;
    for (const auto& entry : steps) {
      GraphStep step = read_step(entry, numbers, node);
      // In an ensemble's answer a step without a name goes by its number.
      const std::string key = node.router == GraphRouter::kEnsemble ? answer_key(step, node.steps.size()) : step.name;
      if (!key.empty() && !names.insert(key).second)
        wrong(entry, in_graph() + "node '" + node.name + "' has two steps named '" + key + "'; rename one of them");
      if (node.router == GraphRouter::kSplitter && !entry["weight"].IsDefined())
        wrong(entry, in_graph() + "a step of the splitter '" + node.name + "' has no 'weight'; it is its percentage");
      weights += step.weight;
      node.steps.push_back(std::move(step));
    }
    if (node.router == GraphRouter::kSplitter && weights != 100)
      out_.problems.push_back({Code::kInvalidArgument, node.place,
                               in_graph() + "the weights of the splitter '" + node.name + "' are " +
                                   std::to_string(weights) + " together, but must be 100"});
  }

  GraphStep read_step(const YAML::Node& entry, const std::map<std::string, size_t>& numbers, const GraphNode& node) {
    GraphStep step;
    step.place = place(entry);
    step.name = text_of(entry["name"]);
    step.weight = entry["weight"].IsDefined() ? static_cast<int>(yaml_number(entry["weight"]).value_or(0)) : 0;
    step.hard = text_of(entry["dependency"]) == "Hard";
    step.map_predictions = entry["mapPredictionsToInstances"].IsDefined() &&
                           yaml_switch(entry["mapPredictionsToInstances"]).value_or(false);
    read_data(entry["data"], step);
    read_target(entry, numbers, step);
    if (const YAML::Node condition = entry["condition"]; condition.IsDefined()) {
      auto path = GjsonPath::parse(condition.Scalar());
      if (path.ok())
        step.condition = *std::move(path);
      else
        out_.problems.push_back({path.status().code(), place(condition), in_graph() + path.status().message()});
    } else if (node.router == GraphRouter::kSwitch) {
      out_.notes.push_back(
          {Code::kOk, step.place,
           in_graph() + "a step of the switch '" + node.name + "' has no 'condition', and so is never chosen"});
    }
    return step;
  }

  void read_data(const YAML::Node& data, GraphStep& step) {
    if (!data.IsDefined()) return;
    step.of_response = data.Scalar() == "$response";
    if (!step.of_response && data.Scalar() != "$request")
      out_.notes.push_back({Code::kOk, place(data),
                            "'data: " + data.Scalar() +
                                "' is taken for $request, as KServe does; there are $request "
                                "and $response"});
  }

  void read_target(const YAML::Node& entry, const std::map<std::string, size_t>& numbers, GraphStep& step) {
    int targets = 0;
    for (const char* key : {"nodeName", "serviceName", "serviceUrl"}) {
      if (!entry[key].IsDefined()) continue;
      ++targets;
      step.target = entry[key].Scalar();
    }
    if (targets != 1)
      return wrong(entry, in_graph() + (targets == 0 ? "a step leads nowhere" : "a step leads to several things") +
                              "; write one of nodeName, serviceName and serviceUrl");
    if (entry["serviceName"].IsDefined()) {
      step.services = {step.target};
    } else if (entry["nodeName"].IsDefined()) {
      const auto found = numbers.find(step.target);
      if (found == numbers.end())
        return wrong(entry["nodeName"], in_graph() + "there is no node named '" + step.target + "'");
      step.node = found->second;
    } else {
      auto url = parse_service_url(step.target);
      if (!url.ok()) return wrong(entry["serviceUrl"], in_graph() + url.status().message());
      step.services = std::move(url->services);
      step.path = std::move(url->path);
    }
  }

  const std::string& file_;
  GraphDocuments& out_;
  InferenceGraph graph_;
};

}  // namespace

bool has_graphs(std::string_view text) {
  constexpr std::string_view kKey = "kind:";
  for (size_t at = text.find(kKey); at != std::string_view::npos; at = text.find(kKey, at + 1)) {
    if (at > 0 && text[at - 1] != '\n') continue;
    std::string_view value = text.substr(at + kKey.size());
    value = value.substr(0, value.find_first_of("\r\n#"));
    const auto is_around = [](char c) { return c == ' ' || c == '\t' || c == '"' || c == '\''; };
    while (!value.empty() && is_around(value.front())) value.remove_prefix(1);
    while (!value.empty() && is_around(value.back())) value.remove_suffix(1);
    if (value == kGraphKind) return true;
  }
  return false;
}

GraphDocuments read_graph_documents(std::string_view text, const std::string& file) {
  GraphDocuments out;
  try {
    for (const YAML::Node& root : YAML::LoadAll(std::string(text))) {
      if (!root.IsMap() || text_of(root["kind"]) != kGraphKind) continue;
      const std::string version = text_of(root["apiVersion"]);
      if (version.empty() || version.starts_with(kGraphApiGroup)) Reader(file, out).read(root);
    }
  } catch (const YAML::Exception& e) {
    out.problems.push_back(
        {Code::kInvalidArgument, yaml_place(file, e.mark), "not YAML: " + e.msg + "; correct the text"});
  }
  return out;
}

}  // namespace modelmill

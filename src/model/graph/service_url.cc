#include "model/graph/service_url.h"

#include <algorithm>
#include <array>
#include <optional>

#include "base/percent_text.h"

namespace modelmill {
namespace {

/// The model in a path that asks for an inference, "/v1/models/NAME[/...]:predict" or "/v2/models/NAME[/...]/infer".
std::optional<std::string_view> model_of_path(std::string_view path) {
  constexpr std::string_view kV1 = "/v1/models/";
  constexpr std::string_view kV2 = "/v2/models/";
  if (!path.starts_with(kV1) && !path.starts_with(kV2)) return std::nullopt;
  const bool v1 = path.starts_with(kV1);
  constexpr std::array<std::string_view, 4> kEnds{":predict", ":explain", "/infer", "/generate"};
  for (size_t i = v1 ? 0 : 2; i < (v1 ? 2U : 4U); ++i) {
    if (!path.ends_with(kEnds[i])) continue;
    std::string_view model = path.substr(kV1.size());
    model.remove_suffix(std::min(model.size(), kEnds[i].size()));
    return model.substr(0, model.find('/'));
  }
  return std::nullopt;
}

/// A graph's URL in this server is /graphs/NAME, and whatever follows it.
std::optional<std::string_view> graph_of_path(std::string_view path) {
  constexpr std::string_view kGraphs = "/graphs/";
  if (!path.starts_with(kGraphs)) return std::nullopt;
  path.remove_prefix(kGraphs.size());
  return path.substr(0, path.find('/'));
}

/// KServe names the service of a model's predictor after it.
std::vector<std::string> services_of_host(std::string_view host) {
  const std::string_view label = host.substr(0, host.find_first_of(".:"));
  std::vector<std::string> out{std::string(label)};
  for (const std::string_view suffix : {"-predictor-default", "-predictor", "-transformer-default", "-transformer"})
    if (label.ends_with(suffix) && label.size() > suffix.size())
      out.emplace_back(label.substr(0, label.size() - suffix.size()));
  return out;
}

}  // namespace

Result<ServiceUrl> parse_service_url(std::string_view url) {
  const Status wrong = invalid_argument("'" + std::string(url) +
                                        "' names no model; expected a URL such as "
                                        "http://NAME.NAMESPACE.svc.cluster.local/v1/models/NAME:predict");
  std::string_view rest = url;
  if (rest.starts_with("http://"))
    rest.remove_prefix(7);
  else if (rest.starts_with("https://"))
    rest.remove_prefix(8);
  else
    return wrong;
  rest = rest.substr(0, rest.find_first_of("?#"));
  const size_t slash = std::min(rest.find('/'), rest.size());
  const std::string_view host = rest.substr(0, slash);
  const std::string_view path = rest.substr(slash);
  ServiceUrl out;
  if (const auto model = model_of_path(path)) {
    MM_ASSIGN_OR_RETURN(std::string name, decode_percents(*model));
    out.services = {std::move(name)};
    out.path = path;
  } else if (const auto graph = graph_of_path(path)) {
    out.services = {std::string(*graph)};
  } else {
    out.services = services_of_host(host);
  }
  if (out.services.front().empty() || host.empty()) return wrong;
  return out;
}

}  // namespace modelmill

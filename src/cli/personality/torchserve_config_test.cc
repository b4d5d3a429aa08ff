#include "cli/personality/torchserve_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "cli/personality/torchserve_addresses.h"
#include "cli/personality/torchserve_keys.h"

namespace modelmill {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

std::optional<std::string> none(const std::string&) { return std::nullopt; }

TorchServeTranslation translate(const std::string& text, const Variables& variables = none, bool presets = false) {
  auto properties = parse_properties(text);
  EXPECT_TRUE(properties.ok());
  auto out = translate_torchserve_config("f.properties", *properties, variables, presets);
  EXPECT_TRUE(out.ok()) << out.status().message();
  return out.ok() ? *out : TorchServeTranslation();
}

std::string refusal(const std::string& text) {
  return translate_torchserve_config("f.properties", *parse_properties(text), none, false).status().message();
}

TEST(TorchServeConfig, DocumentationHasEveryKeyAsTheTableDoes) {
  std::ostringstream expected;
  expected << "| key | here | how, or why not |\n|---|---|---|\n";
  for (const TorchServeKey& key : torchserve_keys())
    expected << "| `" << key.name << "` | " << meaning_text(key.meaning) << " | " << key.what << " |\n";
  std::ifstream in(MODELMILL_DOCS "/torchserve-config.md");
  const std::string page{std::istreambuf_iterator<char>(in), {}};
  EXPECT_THAT(page, HasSubstr(expected.str()));
}

TEST(TorchServeConfig, TheTableIsInOrder) {
  std::string before;
  for (const TorchServeKey& key : torchserve_keys()) {
    const auto lower = [](std::string_view text) {
      std::string out(text);
      for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
      return out;
    };
    EXPECT_LT(lower(before), lower(key.name));
    before = key.name;
  }
}

/// Each key that is mapped, with a value that must come out as something.
TEST(TorchServeConfig, EveryMappedKeyDoesSomething) {
  const std::map<std::string, std::string> values = {
      {"allowed_urls", "https://a/.*"},
      {"certificate_file", "c.pem\ninference_address=https://h\nprivate_key_file=k.pem"},
      {"cors_allowed_origin", "https://a"},
      {"debug", "true"},
      {"disable_token_authorization", "false"},
      {"enable_envvars_config", "true"},
      {"enable_grpc_ssl", "true\ngrpc_inference_port=7070\ncertificate_file=c\nprivate_key_file=k"},
      {"enable_metrics_api", "false"},
      {"enable_model_api", "false"},
      {"grpc_inference_address", "h"},
      {"grpc_management_address", "h"},
      {"inference_address", "http://h"},
      {"load_models", "a.mar\nmodel_store=s"},
      {"management_address", "http://h"},
      {"metrics_address", "http://h"},
      {"model_snapshot", R"({"models": {"m": {"1.0": {"marName": "m.mar"}}}})"
                         "\nmodel_store=s"},
      {"model_store", "s"},
      {"models", R"({"m": {"1.0": {"minWorkers": 1}}})"},
      {"private_key_file", "k.pem\ninference_address=https://h\ncertificate_file=c.pem"},
      {"service_envelope", "body"},
      {"token_expiration_min", "5\ndisable_token_authorization=false"},
      {"use_env_allowed_urls", "true\nenable_envvars_config=true"},
  };
  const Variables urls = [](const std::string& name) -> std::optional<std::string> {
    return name == "TS_ALLOWED_URLS" ? std::optional<std::string>("https://b/.*") : std::nullopt;
  };
  for (const TorchServeKey& key : torchserve_keys()) {
    const std::string name(key.name);
    const std::string value = values.contains(name) ? values.at(name) : "7";
    const auto out = translate(name + "=" + value, urls);
    // These are read with the models, from the file, or before it is translated.
    if (std::set<std::string>{"decode_input_request", "default_response_timeout", "default_startup_timeout",
                              "enable_envvars_config", "keystore", "keystore_pass", "keystore_type", "models",
                              "service_envelope"}
            .contains(name))
      continue;
    EXPECT_EQ(!out.arguments.empty(), key.meaning == TorchServeKey::Meaning::kMapped) << name;
    EXPECT_EQ(out.warnings.empty(), key.meaning != TorchServeKey::Meaning::kIgnored) << name;
  }
}

TEST(TorchServeConfig, TranslatesAWholeFile) {
  const auto out = translate(
      "inference_address=https\\://0.0.0.0\\:8443\nmanagement_address=http://127.0.0.1:8081\n"
      "metrics_address=http://"
      "127.0.0.1:8081\ngrpc_inference_port=9000\ncertificate_file=c.pem\nprivate_key_file=k.pem\n"
      "model_store=/models\nload_models=a.mar, b=c.mar\nenable_model_api=true\n"
      "default_workers_per_model=2\njob_queue_size=50\nmax_request_size=5000000000\nnumber_of_netty_threads=4\n"
      "default_response_timeout=30\nmodels={\"a\": {\"1.0\": {\"defaultVersion\": true, \"batchSize\": 4}}}\n"
      "vmargs=-Xmx4g\nnumber_of_gpu=1\nblacklist_env_vars=AWS.*\nunheard_of=1\n");
  EXPECT_THAT(out.arguments, ElementsAre("--listen=https://0.0.0.0:8443", "--listen=http://127.0.0.1:8081",
                                         "--listen=http://127.0.0.1:9000", "--tls-cert=c.pem", "--tls-key=k.pem",
                                         "f.properties", "--instances=2", "--max-queue-size=50", "--io-threads=4",
                                         "--max-body-bytes=5000000000", "--max-message-bytes=2147483647"));
  EXPECT_THAT(out.warnings, UnorderedElementsAre(HasSubstr("'blacklist_env_vars' keeps nothing"),
                                                 HasSubstr("'unheard_of' is none of TorchServe's"),
                                                 HasSubstr(": number_of_gpu, vmargs")));
}

TEST(TorchServeConfig, AgesOfBothServicesAreOne) {
  const std::string inference = "grpc_inference_max_connection_age", management = "grpc_management_max_connection_age";
  EXPECT_THAT(translate(inference + "_ms=60000\n" + management + "_ms=1500\n" + inference + "_grace_ms=500\n" +
                        management + "_grace_ms=30000")
                  .arguments,
              ElementsAre("--max-connection-age=2", "--max-connection-age-grace=30"));
  EXPECT_THAT(translate(management + "_ms=9223372036854775807").arguments, ElementsAre("--max-connection-age=0"));
  EXPECT_THAT(translate(inference + "_grace_ms=0").arguments, ElementsAre("--max-connection-age-grace=1"));
  EXPECT_THAT(refusal(inference + "_ms=1s"), HasSubstr("'grpc_inference_max_connection_age_ms' must be a whole"));
}

TEST(TorchServeConfig, WhatIsServedAtTheStart) {
  struct Case {
    const char* text;
    std::vector<std::string> arguments;
  };
  for (const Case& c : {
           Case{"model_store=s\nload_models=all", {"f.properties"}},
           Case{"model_store=s\nload_models=a.mar\nenable_model_api=false",
                {"f.properties", "--model-control-mode=none"}},
           Case{"model_store=s", {"s", "--model-control-mode=explicit"}},
           Case{"model_store=s\nload_models=standalone", {"s", "--model-control-mode=explicit"}},
           Case{"model_store=s\nenable_model_api=false",
                {"s", "--model-control-mode=explicit", "--api=management=off"}},
           Case{"", {}},
       })
    EXPECT_EQ(translate(c.text).arguments, c.arguments) << c.text;
}

TEST(TorchServeConfig, VariablesCountMoreWhereTheFileSaysSo) {
  const Variables variables = [](const std::string& name) -> std::optional<std::string> {
    if (name == "TS_JOB_QUEUE_SIZE") return "9";
    if (name == "TS_TOKEN_EXPIRATION_TIME_MIN") return "0.5";
    if (name == "TS_ALLOWED_URLS") return "https://b/.*";
    if (name == "HOST") return "10.0.0.1";
    return std::nullopt;
  };
  EXPECT_THAT(translate("job_queue_size=5", variables).arguments, ElementsAre("--max-queue-size=5"));
  EXPECT_THAT(
      translate("job_queue_size=5\nenable_envvars_config=true\ndisable_token_authorization=false", variables).arguments,
      ElementsAre("--max-queue-size=9", "--torchserve-key-file=key_file.json", "--torchserve-key-minutes=0.5"));
  EXPECT_THAT(translate("inference_address=http://$$HOST$$:80", variables).arguments,
              ElementsAre("--listen=http://10.0.0.1:80"));
  EXPECT_THAT(refusal("inference_address=http://$$NOPE$$:80"), HasSubstr("'NOPE', which is not set"));
}

TEST(TorchServeConfig, PresetsAreTheOriginals) {
  EXPECT_THAT(
      translate("model_store=s\nload_models=all\nmanagement_address=http://0.0.0.0:9", none, true).arguments,
      ElementsAre("--listen=http://127.0.0.1:8080", "--listen=http://0.0.0.0:9", "--listen=http://127.0.0.1:8082",
                  "--listen=http://127.0.0.1:7070", "--listen=http://127.0.0.1:7071", "f.properties",
                  "--model-control-mode=none", "--torchserve-key-file=key_file.json"));
}

TEST(TorchServeConfig, ErrorsNameTheKey) {
  for (const auto& [text, said] : std::map<std::string, std::string>{
           {"job_queue_size=many", "'job_queue_size' must be a whole number"},
           {"default_workers_per_model=-1", "'default_workers_per_model' must be a whole number"},
           {"inference_address=8080", "'inference_address' is no address"},
           {"inference_address=https://h:1", "needs 'certificate_file' and 'private_key_file'"},
           {"inference_address=https://h:1\nkeystore=k.p12", "openssl pkcs12"},
           {"load_models=all", "'model_store' is not given"},
           {"load_models=a.mar", "'model_store' is not given"},
           {"model_store=s\nload_models=../a.mar", "no name of a file"},
           {"models=[]", "'models' is no JSON of models"},
           {"models={\"a\": 1}", "model 'a' must be an object"},
           {"models={\"a\": {\"1.0\": 1}}", "version '1.0' of model 'a' must be an object"},
           {"load_models=file:///h/a.mar", "name it as a PATH"},
           {"allowed_urls=http://g/.*\nload_models=https://h/a.mar", "no expression of 'allowed_urls' allows"},
           {"models={\"a\": {\"1.0\": {\"minWorkers\": \"x\"}}}", "'minWorkers' must be a whole number"},
           {"model_snapshot={\"models\": {\"a\": {\"1.0\": {}}}}", "has no 'marName'"},
       })
    EXPECT_THAT(refusal(text), HasSubstr(said)) << text;
}

TEST(TorchServeConfig, ExpressionsOfUrlsAsWhatUrlsBeginWith) {
  using Prefixes = std::vector<std::string>;
  EXPECT_EQ(url_prefixes("https://s3.amazonaws.com/.*"), Prefixes{"https://s3.amazonaws.com/"});
  EXPECT_EQ(url_prefixes("https://s3\\.amazonaws\\.com/a-b/.*"), Prefixes{"https://s3.amazonaws.com/a-b/"});
  EXPECT_EQ(url_prefixes("file://.*|http(s)?://.*"), (Prefixes{"http://", "https://"}));
  EXPECT_EQ(url_prefixes("file:///models/.*"), Prefixes{});
  for (const char* other : {"https://h/x.mar", "https://[a-z]+/.*", "https://.*/models/.*", "(a|b).*"})
    EXPECT_EQ(url_prefixes(other), std::nullopt) << other;
}

}  // namespace
}  // namespace modelmill

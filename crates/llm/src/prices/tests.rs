use proptest::prelude::*;

use super::*;

fn shipped() -> PriceTable {
    PriceTable::shipped().unwrap()
}

/// Input and output rate in USD per million.
fn rates(provider: &str, model: &str) -> Option<(f64, f64)> {
    let table = shipped();
    let rates = table.find(provider, model)?.rates;
    Some((rates.input as f64 / 1e6, rates.output as f64 / 1e6))
}

fn flat(input: u64, output: u64) -> PriceConfig {
    serde_json::from_value(serde_json::json!({"rates": {"input": input, "output": output}})).unwrap()
}

#[test]
fn the_shipped_table_reads_and_is_sane() {
    let table = shipped();
    assert!(!table.as_of().is_empty());
    for (provider, prices) in &table.providers {
        assert!(
            !prices.models.is_empty() || !prices.prefixes.is_empty(),
            "{provider}"
        );
        for (model, price) in &prices.models {
            let rates = price.rates;
            // A thousand dollars per million tokens is a slip of the finger.
            let by_unit = rates.searches > 0 || rates.audio_ms > 0;
            assert!(
                (rates.input > 0) != by_unit && rates.input < 1_000_000_000,
                "{provider} {model}"
            );
            assert!(
                rates.output < 1_000_000_000 && rates.cache_read <= rates.input,
                "{provider} {model}"
            );
            assert!(
                rates.cache_write >= rates.input && rates.cache_write_1h >= rates.cache_write,
                "{provider} {model}"
            );
            let longer_is_cheaper = |long: &Rates| long.input < rates.input || long.output < rates.output;
            assert!(
                !price
                    .long_context
                    .as_ref()
                    .is_some_and(|(_, long)| longer_is_cheaper(long)),
                "{provider} {model}"
            );
        }
    }
    for target in table
        .same_prices
        .values()
        .chain(table.resold.values().flat_map(HashMap::values))
    {
        assert!(table.providers.contains_key(target), "{target}");
    }
}

#[test]
fn models_are_found_by_name_date_and_path() {
    assert_eq!(rates("openai", "gpt-4o"), Some((2.5, 10.0)));
    assert_eq!(rates("openai", "gpt-4o-2024-08-06"), Some((2.5, 10.0)));
    // An entry of its own beats the undated one.
    assert_eq!(rates("openai", "gpt-4o-2024-05-13"), Some((5.0, 15.0)));
    assert_eq!(rates("openai", "gpt-4-1106-preview"), Some((10.0, 30.0)));
    assert_eq!(
        rates("openai", "ft:gpt-4o-2024-08-06:acme::id"),
        Some((3.75, 15.0))
    );
    assert_eq!(
        rates("anthropic", "claude-sonnet-4-5-20250929"),
        Some((3.0, 15.0))
    );
    assert_eq!(
        rates("gemini", "models/gemini-2.5-pro-preview-05-06"),
        Some((1.25, 10.0))
    );
    assert_eq!(rates("mistral", "mistral-medium-latest"), Some((0.4, 2.0)));
    assert_eq!(rates("groq", "openai/gpt-oss-120b"), Some((0.15, 0.6)));
}

#[test]
fn borrowed_and_resold_prices() {
    assert_eq!(rates("azure-openai", "gpt-4o-mini-2024-07-18"), Some((0.15, 0.6)));
    assert_eq!(rates("vertex-ai", "google/gemini-2.5-flash"), Some((0.3, 2.5)));
    assert_eq!(rates("vertex-ai", "claude-haiku-4-5@20251001"), None);
    assert_eq!(
        rates("vertex-ai", "anthropic/claude-haiku-4-5@20251001"),
        Some((1.0, 5.0))
    );
    assert_eq!(
        rates("bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0"),
        Some((3.0, 15.0))
    );
    assert_eq!(rates("bedrock", "amazon.nova-pro-v1:0"), Some((0.8, 3.2)));
    assert_eq!(
        rates("openrouter", "anthropic/claude-sonnet-4.5"),
        Some((3.0, 15.0))
    );
}

#[test]
fn nothing_is_guessed() {
    for (provider, model) in [
        ("openai", "gpt-4o-realtime-preview"),
        ("openai", "gpt-99"),
        ("openai", ""),
        ("openrouter", "deepseek/deepseek-chat:free"),
        ("openai-compatible", "gpt-4o"),
        ("nobody", "gpt-4o"),
        ("bedrock", "meta.llama3-1-70b-instruct-v1:0"),
    ] {
        assert_eq!(rates(provider, model), None, "{provider} {model}");
    }
}

#[test]
fn a_free_model_is_priced() {
    assert_eq!(
        shipped().find("echo", "anything").map(|price| price.cost(&Usage {
            input: 9,
            ..Usage::default()
        })),
        Some(0)
    );
}

#[test]
fn users_overlay_the_table() {
    let mut table = shipped();
    table.set("openai", "gpt-4o", &flat(1, 2));
    table.set("ollama", "*", &flat(0, 0));
    table.set("ollama", "qwen*", &flat(7, 7));
    table.set("ollama", "qwen3*", &flat(8, 8));
    table.set("ollama", "qwen*", &flat(9, 9));
    let input = |provider, model| table.find(provider, model).map(|price| price.rates.input);
    assert_eq!(input("openai", "gpt-4o-2024-08-06"), Some(1));
    assert_eq!(input("azure-openai", "gpt-4o"), Some(1));
    assert_eq!(input("ollama", "llama3"), Some(0));
    assert_eq!(input("ollama", "qwen2"), Some(9));
    assert_eq!(input("ollama", "qwen3:8b"), Some(8));
}

#[test]
fn unknown_members_are_errors() {
    let typo = r#"{"rates": {"input": 1, "output": 2, "cached": 3}}"#;
    assert!(serde_json::from_str::<PriceConfig>(typo).is_err());
    assert!(serde_json::from_str::<PriceConfig>(r#"{"rates": {"input": 0.5, "output": 2}}"#).is_err());
}

#[test]
fn every_bucket_has_its_rate() {
    let config = r#"{"rates": {"input": 1000000, "cache_read": 2000000, "cache_write": 3000000,
        "cache_write_1h": 4000000, "audio_input": 5000000, "output": 6000000, "reasoning": 7000000,
        "audio_output": 8000000, "image_input": 9000000, "image_output": 1000000, "searches": 2000000,
        "audio_ms": 3000000}}"#;
    let price = Price::from(&serde_json::from_str::<PriceConfig>(config).unwrap());
    let usage = Usage {
        input: 1,
        cache_read: 10,
        cache_write: 100,
        cache_write_1h: 1_000,
        audio_input: 10_000,
        output: 100_000,
        reasoning: 1_000_000,
        audio_output: 10_000_000,
        image_input: 100_000_000,
        image_output: 1_000_000_000,
        searches: 10_000_000_000,
        audio_ms: 100_000_000_000,
        at_batch_rates: false,
    };
    assert_eq!(price.cost(&usage), 321_987_654_321);
}

#[test]
fn what_waited_costs_what_batches_cost() {
    let table = shipped();
    let price = table.find("openai", "gpt-5").unwrap();
    let usage = Usage {
        input: 1_000,
        output: 100,
        ..Usage::default()
    };
    let waited = Usage {
        at_batch_rates: true,
        ..usage
    };
    assert_eq!((price.cost(&usage), price.cost(&waited)), (2_250, 1_125));
    // Where there are no other rates, the ordinary ones hold.
    assert_eq!(Price::from(&flat(1_000_000, 0)).cost(&waited), 1_000);
}

#[test]
fn rates_left_out_fall_back() {
    let price = Price::from(&flat(1_000_000, 10_000_000));
    let usage = Usage {
        input: 1,
        cache_read: 1,
        cache_write: 1,
        cache_write_1h: 1,
        audio_input: 1,
        output: 1,
        reasoning: 1,
        audio_output: 1,
        image_input: 1,
        image_output: 1,
        searches: 1,
        audio_ms: 1,
        at_batch_rates: true,
    };
    assert_eq!(price.cost(&usage), 46);
}

#[test]
fn long_inputs_change_the_rates_of_the_whole_call() {
    let table = shipped();
    let price = table.find("gemini", "gemini-2.5-pro").unwrap();
    let call = |input, cache_read| {
        price.cost(&Usage {
            input,
            cache_read,
            output: 1_000,
            ..Usage::default()
        })
    };
    assert_eq!(call(200_000, 0), 260_000);
    assert_eq!(call(200_001, 0), 515_003);
    assert_eq!(call(100_001, 100_000), 290_003);
}

#[test]
fn rounding_is_half_up_and_once() {
    let price = Price::from(&flat(100_000, 400_000));
    let cost = |input, output| {
        price.cost(&Usage {
            input,
            output,
            ..Usage::default()
        })
    };
    assert_eq!((cost(0, 0), cost(4, 0), cost(5, 0), cost(14, 0)), (0, 0, 1, 1));
    // 0.4 + 0.4: rounded apart both would vanish.
    assert_eq!(cost(4, 1), 1);
}

#[test]
fn absurd_usage_saturates() {
    let price = Price::from(&flat(u64::MAX, u64::MAX));
    assert_eq!(
        price.cost(&Usage {
            input: 1 << 62,
            output: 1 << 62,
            ..Usage::default()
        }),
        i64::MAX
    );
}

proptest! {
    /// The rounded sum is within half a unit of the exact one.
    #[test]
    fn cost_is_exact_but_for_half_a_micro(
        (input, output) in (0_u64..1 << 30, 0_u64..1 << 30),
        (input_rate, output_rate) in (0_u64..1 << 30, 0_u64..1 << 30),
    ) {
        let cost = Price::from(&flat(input_rate, output_rate)).cost(&Usage { input, output, ..Usage::default() });
        let exact = i128::from(input) * i128::from(input_rate) + i128::from(output) * i128::from(output_rate);
        prop_assert!((i128::from(cost) * 1_000_000 - exact).abs() <= 500_000);
    }
}

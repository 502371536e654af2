//! Certificates of one's own making.

use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, PKCS_RSA_SHA256,
};
use rustls::pki_types::CertificateDer;

/// A certificate authority.
pub(super) struct Authority {
    pub(super) cert: String,
    pub(super) der: CertificateDer<'static>,
    /// Certificates between this one and the root, in PEM.
    chain: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate chain and its key, in PEM.
pub(super) struct Pair {
    pub(super) cert: String,
    pub(super) key: String,
    /// The first certificate of the chain.
    pub(super) der: CertificateDer<'static>,
}

fn of_authority() -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}

impl Authority {
    pub(super) fn new() -> Self {
        let (params, key) = (of_authority(), KeyPair::generate().unwrap());
        let made = params.self_signed(&key).unwrap();
        Self {
            cert: made.pem(),
            der: made.der().clone(),
            chain: String::new(),
            issuer: Issuer::new(params, key),
        }
    }

    /// An authority that this one vouches for.
    pub(super) fn intermediate(&self) -> Self {
        let (params, key) = (of_authority(), KeyPair::generate().unwrap());
        let made = params.signed_by(&key, &self.issuer).unwrap();
        Self {
            cert: made.pem(),
            der: made.der().clone(),
            chain: format!("{}{}", made.pem(), self.chain),
            issuer: Issuer::new(params, key),
        }
    }

    /// A certificate for all servers of the tests.
    pub(super) fn server(&self) -> Pair {
        self.sign(ExtendedKeyUsagePurpose::ServerAuth, KeyPair::generate().unwrap())
    }

    pub(super) fn rsa_server(&self) -> Pair {
        let key = KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap();
        self.sign(ExtendedKeyUsagePurpose::ServerAuth, key)
    }

    pub(super) fn client(&self) -> Pair {
        self.sign(ExtendedKeyUsagePurpose::ClientAuth, KeyPair::generate().unwrap())
    }

    fn sign(&self, purpose: ExtendedKeyUsagePurpose, key: KeyPair) -> Pair {
        let names = ["*.test.com", "upstream.test", "127.0.0.1"].map(str::to_owned);
        let mut params = CertificateParams::new(names).unwrap();
        params.extended_key_usages = vec![purpose];
        let made = params.signed_by(&key, &self.issuer).unwrap();
        Pair {
            cert: format!("{}{}", made.pem(), self.chain),
            key: key.serialize_pem(),
            der: made.der().clone(),
        }
    }
}

"""The words by which headers name what a column holds, in the languages that deliveries have come in. Data, and a rank.

A word alone decides nothing: the values of the column must read as well, which `column_guesses.py` sees to.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence

Phrases = Mapping[str, int]


def _phrases(**by_weight: str) -> Phrases:
    return {phrase: int(weight[1:]) for weight, text in by_weight.items() for phrase in text.split(", ")}


WORDS: Mapping[str, Phrases] = {
    "event_at": _phrases(
        w9="transaction date, trans date, tx datetime, payment date, date paid, buchungszeit, transaction time, "
        "occurred at, created at, event time, timestamp, datetime, fecha operacion, fecha hora, date operation, "
        "purchase date, date time",
        w6="date, datum, fecha, data, time, buchungstag, buchungsdatum, umsatzdatum, fecha valor, datetime, when, at",
        w3="effective date, posted date, value date, unix time, epoch, start, run date, event date, step, day",
    ),
    "booked_on": _phrases(w9="booking date, posting date, posted date, posted on, buchungstag, buchungsdatum, booked"),
    "amount": _phrases(
        w9="transaction amount, amount, betrag, importe, montant, umsatz, net amount, billing amount, tx amount, "
        "billing gross amt, txn amount, valor, importo, kwota, bedrag",
        w6="amt, value, sum, total, gross amt, amount orig, monto, gross amount",
        w2="price, saldo",
    ),
    "currency": _phrases(
        w9="currency, currency code, wahrung, waehrung, moneda, devise, valuta, cur code, moeda",
        w6="cur, ccy, curr",
    ),
    "transaction_id": _phrases(
        w9="transaction id, transaction number, trans num, txn id, trans id, payment id, umsatznummer, tx id, "
        "transaktionsnummer, id transaccion, transaktions id, entry id, transactionid, transaction reference, "
        "transaction ref, txn ref, trans ref",
        w6="id, reference, ref, referenz, referencia, uuid, reference number",
    ),
    "account_id": _phrases(
        w9="account id, account number, card number, card token, cc num, konto, kontonummer, cuenta, compte, iban, "
        "account, customer id, card, cardholder id, tarjeta, monedero, carte",
        w6="acct num, acct, user, customer, card id, wallet, wallet id, client id",
    ),
    "counterparty_id": _phrases(
        w9="merchant name, merchant, payee, beneficiary name, supplier name, terminal id, gegenkonto, merchant id, "
        "counterparty, counter party account num, comercio, empfanger, empfaenger, beneficiary, handler, haendler",
        w6="supplier, vendor, shop, store, recipient, beneficiario, creditor, commercant",
    ),
    "category": _phrases(
        w9="mcc, merchant category code, category, kategorie, categoria, rubro",
        w4="merchant category, expenditure category, categorie",
    ),
    "country": _phrases(w9="country, country code, land, pais, pays, merchant country"),
    "channel": _phrases(
        w9="channel, kanal, entry mode, use chip, canal, medio, txn source type code, payment method, pos entry mode"
    ),
    "description": _phrases(
        w9="description, verwendungszweck, concepto, libelle, buchungstext, narrative, purpose",
        w6="memo, details, text, note, descripcion, remittance information",
    ),
    "direction": _phrases(w9="debit credit, credit debit, dr cr, direction, soll haben, cdi, sh"),
    "reverses_id": _phrases(w9="reverses, reversal of, refund of, original transaction id, storno von"),
    "is_fraud": _phrases(w9="is fraud, fraud, tx fraud, fraud reported, fraud flag, isfraud, label"),
}
AGAINST: Mapping[str, frozenset[str]] = {
    "event_at": frozenset({"birth", "expiry", "expires", "effective", "valid"}),
    "amount": frozenset({"vat", "tax", "fee", "balance", "irrecoverable", "original", "cur", "currency", "count"}),
    "transaction_id": frozenset(
        {"date", "amount", "time", "customer", "account", "card", "merchant", "terminal", "user", "product"}
    ),
    "account_id": frozenset({"counter", "type", "balance", "transaction", "name"}),
    "counterparty_id": frozenset({"city", "state", "lat", "long", "zip", "category", "country"}),
    "category": frozenset({"name", "internal"}),
    "is_fraud": frozenset({"scenario", "type"}),
}
MANDATORY = ("event_at", "amount")
DOUBTFUL = 0.1
PERSONAL = frozenset(
    [
        "ssn",
        "first",
        "last",
        "firstname",
        "lastname",
        "surname",
        "vorname",
        "nachname",
        "apellido",
        "street",
        "strasse",
        "address",
        "adresse",
        "direccion",
        "dob",
        "birth",
        "geburtsdatum",
        "email",
        "mail",
        "phone",
        "telefon",
        "telefono",
        "mobile",
        "iban",
        "passport",
        "cardholder",
        "holder",
        "kontoinhaber",
        "inhaber",
    ]
)
BESIDE_PERSONAL = frozenset(
    ["name", "nombre", "gender", "job", "lat", "long", "zip", "postcode", "plz", "city", "ort", "owner"]
)
NOT_OF_A_PERSON = frozenset(
    [
        "merchant",
        "merch",
        "supplier",
        "beneficiary",
        "payee",
        "shop",
        "store",
        "body",
        "organisation",
        "category",
        "product",
        "file",
        "internal",
        "unit",
        "service",
        "bank",
        "currency",
        "state",
        "type",
    ]
)


def tokens(title: str) -> tuple[str, ...]:
    """The words of a title in plain small letters: `FIN.TRANSACTION DATE`, `TransactionDate` and `transaction_date`."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", title.replace("ß", "ss")) if not unicodedata.combining(c))
    divided = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", plain)
    return tuple(re.findall(r"[a-z]+|\d+", divided.lower()))


def rank(title: str, column: str) -> float:
    """How well the title names the column: 0 where it does not, more for a longer and fuller match."""
    words = tokens(title)
    best = max((_weight(words, tuple(p.split()), w) for p, w in WORDS[column].items()), default=0.0)
    is_doubtful = bool(AGAINST.get(column, frozenset()) & set(words))
    return best * (DOUBTFUL if column in MANDATORY else 0) if is_doubtful else best


def personal(titles: Sequence[str]) -> list[str]:
    """The titles that speak of a person rather than of a shop; a post code does so only beside more."""
    of_people = [title for title in titles if not NOT_OF_A_PERSON & set(tokens(title))]
    plainly = [title for title in of_people if PERSONAL & set(tokens(title))]
    return [t for t in of_people if t in plainly or (plainly and BESIDE_PERSONAL & set(tokens(t)))]


def _weight(words: tuple[str, ...], phrase: tuple[str, ...], weight: int) -> float:
    spans = (words[i : i + len(phrase)] for i in range(len(words) - len(phrase) + 1))
    return weight + 2 * len(phrase) / len(words) if phrase in spans else 0.0

"""Tables: how customers write. Placeholders: {item} the goods, {order} a mention of the order number."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

Label = Literal[
    "order_status",
    "refund",
    "exchange",
    "damaged_item",
    "billing",
    "account_access",
    "product_question",
    "cancel_order",
]

COMPLAINTS: Final[Mapping[Label, tuple[str, ...]]] = {
    "order_status": (
        "I am still waiting for {item}{order}, any news?",
        "Where is my parcel? I bought {item}{order} and nothing has come.",
        "{item} has not arrived yet{order}.",
        "Could you tell me the status of my purchase of {item}{order}?",
        "When will {item} be delivered{order}?",
        "There is no sign of {item}{order} and the carrier's page says nothing.",
        "Can I get a shipping update for {item}{order} please?",
        "The delivery date for {item} has passed{order}, and my doorstep is empty.",
        "How do I track {item}{order}?",
        "It's been two weeks and {item} still hasn't shown up{order}.",
    ),
    "refund": (
        "I would like a refund for {item}{order}.",
        "Please give me my money back for {item}{order}, it is not what I expected.",
        "How can I return {item}{order} and be refunded?",
        "I changed my mind about {item}{order} and want to be reimbursed.",
        "{item} does not suit us, so I'd like to send it back for a full refund{order}.",
        "Requesting a refund: {item}{order}. It is unused and still sealed.",
        "Not happy with {item}{order}. I want my money back.",
        "Could you reimburse me for {item}{order}? We no longer need it.",
    ),
    "exchange": (
        "I'd like to exchange {item}{order} for another colour.",
        "Can I swap {item} for a bigger one{order}?",
        "{item} came in the wrong size{order}; could you send the right one instead?",
        "Is it possible to exchange {item}{order}? It is too small for our kitchen.",
        "I picked the wrong colour when I chose {item}{order}, can we swap it?",
        "Please exchange {item}{order}, I meant to get the other model.",
        "Would you swap {item}{order} for the newer version?",
    ),
    "damaged_item": (
        "{item} arrived broken{order}.",
        "The box was crushed and {item} is cracked{order}, please send a replacement.",
        "{item} stopped working after two days{order}. I'd like a new one.",
        "I unpacked {item}{order} and it is damaged along one side.",
        "{item} does not turn on any more{order}, it seems to be defective.",
        "What I got is faulty: {item}{order}. Please replace it.",
        "{item} was in pieces when I opened the parcel{order}; I want my money back.",
        "There is a big dent in {item}{order}, which makes it useless. Refund me please.",
    ),
    "billing": (
        "I was charged twice for {item}{order}.",
        "There is a double charge on my card for {item}{order}.",
        "I was billed the wrong amount for {item}{order}.",
        "Could you send me a receipt with VAT for {item}{order}?",
        "My payment for {item} went through two times{order}.",
        "The discount code was not applied when I paid for {item}{order}, so I was overcharged.",
        "I need a corrected bill for {item}{order}, the company address is wrong on it.",
    ),
    "account_access": (
        "I cannot log in to my account any more.",
        "The password reset link never reaches me.",
        "I am locked out of my account after too many attempts.",
        "Signing in fails with an error since this morning.",
        "I forgot my password, and the page to change it does not load.",
        "My account asks for a two-factor code that I never get.",
        "Your site will not let me sign in, it says that my account does not exist.",
    ),
    "product_question": (
        "Does {item} come with a charger?",
        "Before I buy: is {item} dishwasher safe?",
        "What are the dimensions of {item}?",
        "Do you have {item} in stock in other colours?",
        "Is {item} compatible with the older model?",
        "How long is the warranty on {item}?",
        "I am thinking of buying {item}, is it suitable for children?",
        "Which batteries does {item} take?",
    ),
    "cancel_order": (
        "Please cancel my purchase of {item}{order}.",
        "I want to cancel {item}{order} before it ships.",
        "I bought {item} by mistake{order}, can you cancel it?",
        "Kindly cancel this: {item}{order}.",
        "We don't need {item} after all{order}, please cancel.",
        "Is it too late to cancel {item}{order}? If it is not, do it.",
    ),
}

FOREIGN: Final[Mapping[Label, tuple[str, ...]]] = {
    "order_status": (
        "Wo bleibt meine Lieferung{order}?",
        "¿Dónde está mi pedido{order}?",
        "Où est mon colis{order} ?",
    ),
    "refund": (
        "Ich möchte eine Rückerstattung{order}.",
        "Quiero un reembolso{order}.",
        "Je voudrais un remboursement{order}.",
    ),
    "exchange": ("Ich möchte den Artikel umtauschen{order}.", "Quiero cambiar el artículo por otro{order}."),
    "damaged_item": (
        "Der Artikel kam beschädigt an{order}.",
        "El artículo llegó roto{order}.",
        "L'article est arrivé cassé{order}.",
    ),
    "billing": ("Mir wurde zweimal Geld abgebucht{order}.", "Me han cobrado dos veces{order}."),
    "account_access": ("Ich komme nicht mehr in mein Konto.", "Je n'arrive plus à me connecter."),
    "product_question": ("Wie lange gilt die Garantie auf neue Geräte?", "¿Cuánto dura la garantía?"),
    "cancel_order": (
        "Bitte stornieren Sie die Bestellung{order}.",
        "Je veux annuler ma commande{order}.",
        "Quiero cancelar el pedido{order}.",
    ),
}

ORDERS: Final = (
    " (order ORD-{id})",
    ", order #{id}",
    ", order number {id}",
    " - order no. {id}",
    " [ORD-{id}]",
    ", my order is #{id}",
    ", ord-{id}",
    " (#{id})",
    ", order: {id}",
)

OPENINGS: Final = (
    "",
    "",
    "Hi,",
    "Hello,",
    "Hey there,",
    "Good morning,",
    "Dear team,",
    "Hi support,",
    "To whom it may concern,",
)
CLOSINGS: Final = (
    "Thanks,",
    "Thank you,",
    "Regards,",
    "Best regards,",
    "Cheers,",
    "Kind regards,",
    "Many thanks,",
)
INTRODUCTIONS: Final = ("My name is {name}.", "This is {name}.", "I'm {name}, a customer since 2019.")
CONTACTS: Final = (
    "You can reach me at {email}.",
    "My email is {email}.",
    "Please write to {email}.",
    "Account: {email}.",
)

URGENT: Final = (
    "This is urgent.",
    "I need this solved by tomorrow.",
    "Please answer as soon as possible.",
    "Please hurry, it is a gift and the party is on Saturday.",
    "I need an answer today!",
    "Please deal with it immediately.",
    "We fly out tomorrow morning, so time is short.",
    "Get back to me ASAP.",
    "This can't wait.",
    "It smells of smoke and I am worried about the safety of my family.",
)
CALM: Final = (
    "No rush.",
    "It's not urgent at all.",
    "Take your time.",
    "There is no hurry.",
    "Whenever you have a moment is fine.",
    "Next week is soon enough.",
)
DISTRACTIONS: Final = (
    "I've been shopping with you for years.",
    "My neighbour got the same thing and loves it.",
    "Your website is very nicely made, by the way.",
    "Last month's refund went smoothly, so thanks for that.",
    "My previous parcel came broken, but that was sorted out.",
    "The weather here has been awful.",
    "You can also call me on 555-0142.",
    "The invoice is INV-20931.",
    "The carrier's tracking number is 1Z999AA10123456784.",
    "I called on Monday and waited for 25 minutes.",
    "My daughter's birthday was lovely, thank you for asking last time.",
    "I paid 49.90 with my usual card.",
    "My sister had to cancel something here last year and it was painless.",
    "I read the FAQ and found nothing.",
    "Apologies for the long message.",
)

PRODUCTS: Final = (
    "desk lamp", "ceramic mug", "electric kettle", "office chair", "yoga mat", "backpack", "coffee grinder",
    "bluetooth speaker", "phone case", "wool blanket", "garden hose", "toaster", "rain jacket", "picture frame",
    "water bottle", "wireless mouse", "mechanical keyboard", "frying pan", "baby monitor", "alarm clock", "hair dryer",
    "bread knife", "camping tent", "bike helmet", "table fan", "floor rug", "bath towel", "travel pillow",
    "shower head", "plant pot", "wall shelf", "board game", "vacuum cleaner", "steam iron", "air fryer",
)  # fmt: skip
COLOURS: Final = (
    "",
    "",
    "black ",
    "white ",
    "blue ",
    "red ",
    "green ",
    "grey ",
    "yellow ",
    "pink ",
    "silver ",
    "navy ",
)
NUMBERS: Final = {"two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "ten": 10}
FIRST_NAMES: Final = (
    "Maria", "John", "Aisha", "Chen", "Olga", "José", "Priya", "Liam", "Zoë", "Kwame", "Ingrid", "Tomás", "Yuki",
    "Fatima", "Noah", "Siobhán", "Ravi", "Emily", "Marek", "Chloé", "Dmitri", "Amara", "Björn", "Lucia",
)  # fmt: skip
LAST_NAMES: Final = (
    "Lopez", "Smith", "Khan", "Wei", "Petrova", "García", "Patel", "O'Brien", "Müller", "Mensah", "Larsen", "Silva",
    "Tanaka", "Haddad", "Johnson", "Walsh", "Gupta", "Clarke", "Nowak", "Dubois", "Volkov", "Okafor", "Svensson", "Rossi",
)  # fmt: skip

MISSPELLINGS: Final[Mapping[str, str]] = {
    "please": "pls",
    "received": "recieved",
    "refund": "refudn",
    "broken": "borken",
    "because": "becuase",
    "would": "woud",
    "cancel": "cancle",
    "arrived": "arived",
    "exchange": "exchnage",
    "password": "pasword",
    "the": "teh",
    "waiting": "wating",
    "account": "acount",
    "charged": "chraged",
    "delivered": "delievered",
    "warranty": "waranty",
    "urgent": "urgnet",
    "tomorrow": "tommorow",
    "damaged": "damged",
    "immediately": "immediatly",
}
"""Right spellings to frequent wrong ones."""

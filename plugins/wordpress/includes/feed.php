<?php
/**
 * Payment links, which feed readers and podcast apps offer to their users.
 *
 * @package Flattr_Button
 */

defined( 'ABSPATH' ) || exit;

/**
 * Writes the payment link of the current entry.
 *
 * @param string $element The element's name in that kind of feed.
 */
function flattr_button_payment( $element ) {
	$settings = flattr_button_settings();
	$post     = get_post();
	if ( ! $post || ! $settings['feed'] || ! flattr_button_is_ready() || ! in_array( $post->post_type, $settings['types'], true ) ) {
		return;
	}
	printf(
		'<%1$s rel="payment" type="text/html" title="%2$s" href="%3$s" />' . "\n",
		esc_html( $element ),
		esc_attr__( 'Flattr this!', 'flattr-button' ),
		esc_url( flattr_button_address( get_permalink( $post ), flattr_button_title( $post ) ) )
	);
}

/**
 * Writes the payment link of an item of RSS.
 */
function flattr_button_payment_rss() {
	flattr_button_payment( 'atom:link' );
}
add_action( 'rss2_item', 'flattr_button_payment_rss' );

/**
 * Writes the payment link of an entry of Atom.
 */
function flattr_button_payment_atom() {
	flattr_button_payment( 'link' );
}
add_action( 'atom_entry', 'flattr_button_payment_atom' );

/**
 * Writes the payment link into the head of a post's page.
 */
function flattr_button_payment_head() {
	if ( is_singular() && ! is_attachment() ) {
		flattr_button_payment( 'link' );
	}
}
add_action( 'wp_head', 'flattr_button_payment_head' );
